"""The baselines' scores, against sums computed by hand."""

import pytest
import torch
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright_pruning.baselines import IsomorphicPruning, MagnitudeL1, MagnitudeL2, RandomPruning, TaylorPruning
from netwright_pruning.groups import prunable_groups, trace
from netwright_pruning.method import BasePruningMethod


def scores(method: BasePruningMethod, model: nn.Module, inputs: Inputs, *, seed: int = 0) -> dict[str, Tensor]:
    importance = method.importance(seed=seed)
    found = {group.name: importance(members) for group, members in prunable_groups(trace(model, inputs))}
    return {name: score for name, score in found.items() if score is not None}


def weights_of_inner1(model: nn.Module, read: str = "weight") -> list[Tensor]:
    """Per layer that the channels of `inner1` belong to, their weights: shape (48, ...)."""
    produced = getattr(model.get_parameter("inner1.weight"), read, None)
    consumed = getattr(model.get_parameter("outer1.weight"), read, None)
    inner = model.get_parameter("inner1.weight") if read == "weight" else produced
    outer = model.get_parameter("outer1.weight") if read == "weight" else consumed
    assert inner is not None
    assert outer is not None
    return [inner.detach().flatten(1), outer.detach().transpose(0, 1).flatten(1)]


@pytest.mark.parametrize(("method", "power"), [(MagnitudeL1(), 1), (MagnitudeL2(), 2)])
def test_magnitude_is_the_mean_norm_over_the_groups_layers(
    method: BasePruningMethod, power: int, residual: nn.Module, images: Inputs
) -> None:
    expected = sum(weight.abs().pow(power).sum(1) for weight in weights_of_inner1(residual)) / 2
    torch.testing.assert_close(scores(method, residual, images)["inner1"], expected)


@pytest.mark.parametrize("method", [TaylorPruning(), IsomorphicPruning()])
def test_taylor_is_the_mean_of_weight_times_gradient(
    method: BasePruningMethod, residual: nn.Module, images: Inputs
) -> None:
    assert method.needs_gradients
    residual(*images.args).square().sum().backward()
    pairs = zip(weights_of_inner1(residual), weights_of_inner1(residual, "grad"), strict=True)
    expected = sum((weight * grad).abs().sum(1) for weight, grad in pairs) / 2
    torch.testing.assert_close(scores(method, residual, images)["inner1"], expected)


def test_random_scores_come_from_the_seed_alone(residual: nn.Module, images: Inputs) -> None:
    torch.manual_seed(1)
    one = scores(RandomPruning(), residual, images, seed=3)
    torch.manual_seed(2)
    same = scores(RandomPruning(), residual, images, seed=3)
    other = scores(RandomPruning(), residual, images, seed=4)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["inner1"], other["inner1"])


def test_only_isomorphic_ranks_by_structure() -> None:
    methods = [RandomPruning(), MagnitudeL1(), MagnitudeL2(), TaylorPruning(), IsomorphicPruning()]
    assert [method.isomorphic for method in methods] == [False, False, False, False, True]


def test_isomorphic_takes_any_criterion(residual: nn.Module, images: Inputs) -> None:
    method = IsomorphicPruning("l1")
    assert not method.needs_gradients
    expected = scores(MagnitudeL1(), residual, images)["inner1"]
    torch.testing.assert_close(scores(method, residual, images)["inner1"], expected)
