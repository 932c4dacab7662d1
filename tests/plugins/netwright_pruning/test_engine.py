"""The engine: a copy of any model, pruned to a budget."""

import copy
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright.cost import count_cost
from netwright.errors import NetwrightError, UserError
from netwright_pruning import BasePruningMethod, Budget, Importance, prune_to_budget
from netwright_pruning.baselines import IsomorphicPruning, MagnitudeL1, MagnitudeL2, RandomPruning, TaylorPruning
from netwright_pruning.engine import check_budget

METHODS = [RandomPruning, MagnitudeL1, MagnitudeL2, TaylorPruning, IsomorphicPruning]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("budget", [Budget("macs", 0.5), Budget("parameters", 0.4)])
def test_the_budget_is_hit(
    method: type[BasePruningMethod], budget: Budget, residual: nn.Module, images: Inputs
) -> None:
    pruning = prune_to_budget(residual, images, budget, method(), seed=0, round_to=1)
    counted = count_cost(pruning.model, images)
    assert pruning.budget.within
    assert pruning.budget.achieved == getattr(counted, budget.metric)
    assert counted == pruning.after
    assert getattr(counted, budget.metric) == pytest.approx(
        budget.amount * getattr(count_cost(residual, images), budget.metric), rel=0.01
    )
    assert pruning.model(*images.args).shape == (4, 10)


def test_absolute_budgets_are_hit_too(residual: nn.Module, images: Inputs) -> None:
    pruning = prune_to_budget(residual, images, Budget("parameters", 20e3), MagnitudeL2(), seed=0, round_to=1)
    assert pruning.after.parameters == pytest.approx(20e3, rel=0.01)


def test_widths_are_rounded(residual: nn.Module, images: Inputs) -> None:
    pruning = prune_to_budget(residual, images, Budget("macs", 0.4), MagnitudeL2(), seed=0, round_to=8)
    assert pruning.widths
    for name, (before, after) in pruning.widths.items():
        assert residual.get_parameter(f"{name}.weight").shape[0] == before
        assert pruning.model.get_parameter(f"{name}.weight").shape[0] == after
        assert after % 8 == 0 or name in pruning.budget.relaxed
    assert 0 < len(pruning.budget.relaxed) < len(pruning.widths)


def test_a_miss_is_said_with_the_nearest_attempt(residual: nn.Module, images: Inputs) -> None:
    pruning = prune_to_budget(residual, images, Budget("macs", 0.5), MagnitudeL2(), seed=0, round_to=16, tolerance=1e-7)
    assert not pruning.budget.within
    assert abs(pruning.budget.error) == min(abs(attempt.error) for attempt in pruning.budget.attempts)
    assert pruning.budget.achieved == pruning.after.macs


def test_the_given_model_stays_as_it_is(residual: nn.Module, images: Inputs) -> None:
    residual.train()
    residual.get_submodule("norm").eval()
    residual.get_submodule("head").requires_grad_(False)
    residual.get_parameter("stem.weight").grad = torch.ones_like(residual.get_parameter("stem.weight"))
    before = copy.deepcopy(residual)
    pruning = prune_to_budget(residual, images, Budget("macs", 0.5), TaylorPruning(), seed=0)
    assert all(torch.equal(tensor, before.state_dict()[name]) for name, tensor in residual.state_dict().items())
    for model in (residual, pruning.model):
        assert [module.training for module in model.modules()] == [module.training for module in before.modules()]
        assert [p.requires_grad for p in model.parameters()] == [p.requires_grad for p in before.parameters()]
    gradient = residual.get_parameter("stem.weight").grad
    assert gradient is not None
    assert torch.equal(gradient, torch.ones(32, 3, 3, 3))
    assert all(parameter.grad is None for parameter in pruning.model.parameters())


def test_a_pruned_model_learns(residual: nn.Module, images: Inputs) -> None:
    model = prune_to_budget(residual, images, Budget("macs", 0.5), MagnitudeL2(), seed=0).model
    model(*images.args).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_what_the_model_does_not_work_without_stays_whole(stubborn: nn.Module, rows: Inputs) -> None:
    pruning = prune_to_budget(stubborn, rows, Budget("macs", 0.7), MagnitudeL1(), seed=0, round_to=1, tolerance=0.02)
    assert [(fault.group, fault.module) for fault in pruning.faults] == [("rigid.project", "rigid")]
    assert pruning.budget.within
    assert pruning.widths.keys() == {"before", "after"}
    assert pruning.model(*rows.args).shape == (6, 5)


def test_a_forward_that_looks_at_values_is_pruned_on_real_data(rows: Inputs) -> None:
    class Moody(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = nn.Linear(16, 64)
            self.head = nn.Linear(64, 4)

        def forward(self, x: Tensor) -> Tensor:
            x = self.hidden(x)
            outputs: Tensor = self.head(-x if x.sum().item() < 0 else x)
            return outputs

    pruning = prune_to_budget(Moody(), rows, Budget("parameters", 0.5), MagnitudeL2(), seed=0)
    assert pruning.widths == {"hidden": (64, 32)}


def test_tied_weights_stay_tied(rows: Inputs) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(16, 32)
            self.second = nn.Linear(16, 32)
            self.second.weight = self.first.weight
            self.head = nn.Linear(32, 4)

        def forward(self, x: Tensor) -> Tensor:
            outputs: Tensor = self.head(self.first(x) + torch.relu(self.second(x)))
            return outputs

    pruning = prune_to_budget(Tied(), rows, Budget("parameters", 0.5), MagnitudeL2(), seed=0)
    first, second = (pruning.model.get_parameter(f"{name}.weight") for name in ("first", "second"))
    assert first is second
    assert first.shape == (16, 16)


def test_instances_share_no_state(residual: nn.Module, images: Inputs) -> None:
    alone = prune_to_budget(residual, images, Budget("macs", 0.4), MagnitudeL1(), seed=0)
    prune_to_budget(residual, images, Budget("parameters", 0.7), IsomorphicPruning(), seed=1, round_to=1)
    again = prune_to_budget(residual, images, Budget("macs", 0.4), MagnitudeL1(), seed=0)
    assert again.widths == alone.widths
    assert again.budget == alone.budget


DIGESTS = """
import hashlib
from netwright.cases.load import load_case
from netwright.cases.module import draw_inputs, prepare_module
from netwright_pruning import Budget, load_method, prune_to_budget

case = load_case("digits_cnn")
model, inputs = prepare_module(case, seed=3), draw_inputs(case, seed=3)
for name in ("random", "isomorphic"):
    pruned = prune_to_budget(model, inputs, Budget("macs", 0.3), load_method(name), seed=3).model
    content = b"".join(name.encode() + tensor.numpy().tobytes() for name, tensor in pruned.state_dict().items())
    print(hashlib.sha256(content).hexdigest())
"""


@pytest.mark.slow
def test_two_processes_prune_to_the_same_bits() -> None:
    run = [sys.executable, "-c", DIGESTS]
    processes = [subprocess.Popen(run, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    one, other = (process.communicate()[0].split() for process in processes)
    assert one == other
    assert len(set(one)) == 2


@pytest.mark.slow
def test_a_common_network_is_pruned() -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    model, inputs = timm.create_model("resnet18").eval(), Inputs((torch.rand(1, 3, 64, 64),))
    pruning = prune_to_budget(model, inputs, Budget("macs", 0.5), MagnitudeL2(), seed=0)
    assert pruning.budget.within
    assert pruning.model(*inputs.args).shape == (1, 1000)


def test_an_impossible_budget_is_refused_with_the_floor(residual: nn.Module, images: Inputs) -> None:
    with pytest.raises(UserError, match=r"cannot be met; the narrowest layers leave \S+, a fraction of 0\.0"):
        prune_to_budget(residual, images, Budget("macs", 0.001), MagnitudeL2(), seed=0)
    with pytest.raises(UserError, match="cannot be met"):
        check_budget(residual, images, Budget("macs", 0.001), tolerance=0.01, round_to=8)


def test_a_budget_that_can_be_met_passes_the_check(residual: nn.Module, images: Inputs) -> None:
    check_budget(residual, images, Budget("macs", 0.5), tolerance=0.01, round_to=8)


@pytest.mark.parametrize("model", [nn.Linear(16, 4), nn.Sequential(nn.Linear(16, 16), nn.Softmax(dim=1))])
def test_a_model_without_inner_layers_is_refused(model: nn.Module, rows: Inputs) -> None:
    with pytest.raises(UserError, match="no layer to prune; all its layers reach the output"):
        prune_to_budget(model, rows, Budget("macs", 0.5), MagnitudeL2(), seed=0)


def test_weights_that_are_not_numbers_are_refused(residual: nn.Module, images: Inputs) -> None:
    residual.get_parameter("inner1.weight").data[0] = float("nan")
    with pytest.raises(NetwrightError, match=r"rank the channels of '\w+'.*not finite.*NaN"):
        prune_to_budget(residual, images, Budget("macs", 0.5), MagnitudeL2(), seed=0)


def test_an_importance_that_leaves_groups_out_prunes_the_others(residual: nn.Module, images: Inputs) -> None:
    class OnlyWide(BasePruningMethod):
        def importance(self, *, seed: int) -> Importance:  # noqa: ARG002
            return lambda group: torch.ones(48) if len(group[0].idxs) == 48 else None

    pruning = prune_to_budget(residual, images, Budget("macs", 0.6), OnlyWide(), seed=0, round_to=1)
    assert pruning.widths.keys() == {"inner1", "inner2"}


def test_it_says_which_channels_of_each_layer_remain(residual: nn.Module, images: Inputs) -> None:
    pruning = prune_to_budget(residual, images, Budget("macs", 0.5), MagnitudeL2(), seed=0)
    for name, kept in pruning.kept.items():
        weight = pruning.model.get_submodule(name).weight
        assert isinstance(weight, Tensor)
        assert len(kept) == len(weight)
    stem, original = pruning.model.get_parameter("stem.weight"), residual.get_parameter("stem.weight")
    assert torch.equal(stem, original[list(pruning.kept["stem"])])
    assert pruning.kept["head"] == tuple(range(10))
