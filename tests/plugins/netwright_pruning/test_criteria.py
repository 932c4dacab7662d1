"""Criteria, against scores computed by hand."""

import pytest
import torch
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright.errors import UserError
from netwright_pruning import Budget, load_method, prune_to_budget
from netwright_pruning.activations import leave_activations
from netwright_pruning.gradients import leave_gradients
from netwright_pruning.groups import prunable_groups, trace

NAMES = ["batch_norm_scale", "fpgm", "lamp", "hessian", "activation"]


def scores(name: str, model: nn.Module, inputs: Inputs) -> dict[str, Tensor]:
    importance = load_method(name).importance(seed=0)
    found = {group.name: importance(members) for group, members in prunable_groups(trace(model, inputs))}
    return {group: score for group, score in found.items() if score is not None}


def test_batch_norm_scale_is_the_absolute_weight(residual: nn.Module, images: Inputs) -> None:
    scale = residual.get_parameter("stem_norm.weight")
    other = residual.get_parameter("norm.weight")
    nn.init.normal_(scale)
    nn.init.normal_(other)
    found = scores("batch_norm_scale", residual, images)
    assert found.keys() == {"stem"}
    torch.testing.assert_close(found["stem"], (scale.abs() + other.abs()).detach() / 2)


def test_fpgm_is_the_sum_of_distances_to_the_other_filters(residual: nn.Module, images: Inputs) -> None:
    filters = residual.get_parameter("inner1.weight").detach().double().flatten(1)
    expected = torch.stack([sum((one - other).norm() for other in filters) for one in filters])  # type: ignore[arg-type]
    torch.testing.assert_close(scores("fpgm", residual, images)["inner1"], expected, rtol=1e-4, atol=1e-4)


def test_lamp_is_the_share_in_the_larger_ones(residual: nn.Module, images: Inputs) -> None:
    squares = scores("magnitude_l2", residual, images)["inner1"]
    expected = torch.stack([one / squares[squares >= one].sum() for one in squares])
    found = scores("lamp", residual, images)["inner1"]
    torch.testing.assert_close(found, expected)
    assert found.max() == 1


def test_hessian_is_the_mean_of_squared_weight_times_squared_gradient(residual: nn.Module, images: Inputs) -> None:
    leave_gradients(residual, images, None, seed=0, squared=True)
    produced, consumed = residual.get_parameter("inner1.weight"), residual.get_parameter("outer1.weight")
    assert produced.grad is not None
    assert consumed.grad is not None
    one = (produced.detach() ** 2 * produced.grad).flatten(1).sum(1)
    other = (consumed.detach() ** 2 * consumed.grad).transpose(0, 1).flatten(1).sum(1)
    torch.testing.assert_close(scores("hessian", residual, images)["inner1"], (one + other) / 2)


def test_squared_gradients_are_the_squares_of_the_others(residual: nn.Module, images: Inputs) -> None:
    leave_gradients(residual, images, None, seed=0)
    plain = residual.get_parameter("stem.weight").grad
    assert plain is not None
    leave_gradients(residual, images, None, seed=0, squared=True)
    torch.testing.assert_close(residual.get_parameter("stem.weight").grad, plain**2)


def test_activation_is_what_a_channel_brings_to_its_reader(residual: nn.Module, images: Inputs) -> None:
    leave_activations(residual, images, None)
    seen = []
    handle = residual.get_submodule("outer1").register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    residual(*images.args)
    handle.remove()
    values = seen[0].detach().double().square().mean((0, 2, 3)).sqrt()
    norms = residual.get_parameter("outer1.weight").detach().double().square().sum((0, 2, 3)).sqrt()
    torch.testing.assert_close(scores("activation", residual, images)["inner1"], values * norms, rtol=1e-5, atol=1e-7)


def test_activations_are_averaged_over_batches(residual: nn.Module, images: Inputs) -> None:
    samples = images.args[0]
    leave_activations(residual, images, [(part, torch.zeros(1)) for part in samples.split(1)])
    apart = vars(residual.get_submodule("head"))["input_rms"]
    leave_activations(residual, images, [(samples, torch.zeros(1))])
    torch.testing.assert_close(vars(residual.get_submodule("head"))["input_rms"], apart)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("isomorphic", [False, True])
def test_the_budget_is_hit_with_it(name: str, isomorphic: bool, residual: nn.Module, images: Inputs) -> None:
    method = load_method("isomorphic", {"criterion": name}) if isomorphic else load_method(name)
    budget = Budget("macs", 0.9 if name == "batch_norm_scale" else 0.5)
    pruning = prune_to_budget(residual, images, budget, method, seed=0, round_to=1, tolerance=0.05)
    assert pruning.budget.within
    assert method.isomorphic == isomorphic


def test_reductions_are_told_apart(residual: nn.Module, images: Inputs) -> None:
    groups = {group.name: members for group, members in prunable_groups(trace(residual, images))}
    mean = load_method("magnitude_l1").importance(seed=0)(groups["inner1"])
    total = load_method("magnitude_l1", {"reduction": "sum"}).importance(seed=0)(groups["inner1"])
    assert mean is not None
    torch.testing.assert_close(total, 2 * mean)


def test_a_criterion_that_is_no_baseline_is_refused() -> None:
    with pytest.raises(UserError, match="magnitude"):
        load_method("isomorphic", {"criterion": "magnitude"})


def test_a_method_that_scores_nothing_says_so(stubborn: nn.Module, rows: Inputs) -> None:
    with pytest.raises(UserError, match=r"finds nothing to prune; BatchNormScalePruning scores none of .* groups"):
        prune_to_budget(stubborn, rows, Budget("macs", 0.7), load_method("batch_norm_scale"), seed=0)
