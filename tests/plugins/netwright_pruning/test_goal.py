"""Goals: several budgets at once, of which one binds."""

import pytest
import torch
from torch import nn

from netwright.cases import Inputs
from netwright.errors import UserError
from netwright_pruning import Budget, load_method, prune_to_budget
from netwright_pruning.allocation import Allocation
from netwright_pruning.goal import set_goal
from netwright_pruning.stopwatch import Reading
from netwright_pruning.survey import Survey


@pytest.mark.parametrize(("macs", "parameters", "binds"), [(0.5, 0.9, "macs"), (0.9, 0.5, "parameters")])
def test_all_budgets_hold_and_the_tighter_one_is_hit(
    macs: float, parameters: float, binds: str, residual: nn.Module, images: Inputs
) -> None:
    budgets = [Budget("macs", macs), Budget("parameters", parameters)]
    outcome = prune_to_budget(residual, images, budgets, load_method("magnitude_l2"), seed=0, round_to=1).budget
    assert outcome.metric == binds
    assert outcome.within
    assert abs(outcome.error) <= 0.01
    assert [share.metric for share in outcome.all] == ["macs", "parameters"]
    assert all(share.error <= 0.01 for share in outcome.all)
    assert {attempt.metric for attempt in outcome.attempts} >= {binds}


def test_the_load_is_that_of_the_budget_that_binds() -> None:
    unpruned = {"macs": 100, "parameters": 10}
    goal = set_goal([Budget("macs", 0.5), Budget("parameters", 0.5)], unpruned, 0.01)  # type: ignore[arg-type]
    assert goal.load({"macs": 25, "parameters": 6}) == pytest.approx(1.2)
    assert goal.binding({"macs": 25, "parameters": 6}) == "parameters"
    with pytest.raises(UserError, match=r"5 parameters cannot be met; .* leave 8, a fraction of 0\.800"):
        goal.refuse_unreachable({"macs": 25, "parameters": 8})


class Stopwatch:
    """A machine on which latency is proportional to the width of one layer, with some overhead."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, model: nn.Module) -> Reading:
        self.calls += 1
        width = model.get_parameter("inner1.weight").shape[0]
        ratio = (20 + width) / 68
        return Reading(6.8, ratio, ratio - 0.001, ratio + 0.001)


@pytest.mark.parametrize("budget", [Budget("latency", 0.7), Budget("latency", 4.76, absolute=True)])
def test_a_budget_of_latency_goes_by_the_stopwatch(budget: Budget, residual: nn.Module, images: Inputs) -> None:
    stopwatch = Stopwatch()
    method = load_method("magnitude_l2")
    pruning = prune_to_budget(residual, images, budget, method, seed=0, round_to=1, tolerance=0.03, stopwatch=stopwatch)
    outcome = pruning.budget
    assert outcome.within
    assert outcome.metric == "latency"
    assert outcome.target == pytest.approx(4.76)
    assert outcome.achieved == pytest.approx(4.76, rel=0.03)
    width = pruning.model.get_parameter("inner1.weight").shape[0]
    assert outcome.achieved == pytest.approx((20 + width) / 10)
    assert all(attempt.interval for attempt in outcome.attempts)
    assert stopwatch.calls <= 13


def test_a_latency_that_nothing_reaches_is_refused_with_the_floor(residual: nn.Module, images: Inputs) -> None:
    method, budget = load_method("magnitude_l2"), Budget("latency", 0.1)
    with pytest.raises(UserError, match=r"0\.6800 ms cannot be met; .* a fraction of 0\.3"):
        prune_to_budget(residual, images, budget, method, seed=0, round_to=1, stopwatch=Stopwatch())


def test_without_a_stopwatch_a_latency_is_refused(residual: nn.Module, images: Inputs) -> None:
    with pytest.raises(UserError, match="nothing measures latency"):
        prune_to_budget(residual, images, Budget("latency", 0.5), load_method("magnitude_l2"), seed=0)


def test_where_counts_bind_their_widths_stay(residual: nn.Module, images: Inputs) -> None:
    budgets = [Budget("macs", 0.3), Budget("latency", 0.95)]
    method = load_method("magnitude_l2")
    outcome = prune_to_budget(residual, images, budgets, method, seed=0, round_to=1, stopwatch=Stopwatch()).budget
    assert outcome.metric == "macs"
    assert outcome.within
    assert [share.metric for share in outcome.all] == ["macs", "latency"]


def test_shares_and_limits_decide_where_the_cutting_happens(residual: nn.Module, images: Inputs) -> None:
    allocation = Allocation(shares={"inner1": 0.0}, limits={"inner2": 0.25})
    method, budget = load_method("magnitude_l2"), Budget("macs", 0.6)
    widths = prune_to_budget(
        residual, images, budget, method, seed=0, round_to=1, allocation=allocation, tolerance=0.02
    ).widths
    assert "inner1" not in widths
    assert widths.get("inner2", (48, 48))[1] >= 36
    assert widths["stem"][1] < 32


def test_a_survey_serves_several_prunings(residual: nn.Module, images: Inputs) -> None:
    survey, method = Survey(residual, images), load_method("magnitude_l2")
    alone = prune_to_budget(residual, images, Budget("macs", 0.5), method, seed=0)
    for _ in range(2):
        again = prune_to_budget(residual, images, Budget("macs", 0.5), method, seed=0, survey=survey)
        assert again.budget == alone.budget
        assert all(
            torch.equal(one, other)
            for one, other in zip(again.model.parameters(), alone.model.parameters(), strict=True)
        )


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("attn", "blocks.0.attn.qkv", True),
        ("attn", "blocks.0.attn_norm", False),
        ("blocks.1", "blocks.1.mlp.fc1[2]", True),
        ("blocks.1", "blocks.10.mlp.fc1", False),
        ("*.fc?", "blocks.1.mlp.fc1[2]", True),
        ("fc1", "blocks.1.mlp.fc1[2]", True),
    ],
)
def test_layers_are_named_by_parts_or_wildcards(pattern: str, name: str, fits: bool) -> None:
    assert (Allocation(shares={pattern: 3.0}).share(name) == 3) == fits


def test_the_last_pattern_counts() -> None:
    allocation = Allocation(limits={"*": 0.5, "stem": 0.0, "stem.conv2": 0.9})
    assert [allocation.kept(name, 10) for name in ("head", "stem.conv1", "stem.conv2")] == [5, 10, 1]


def test_noise_is_forgiven(residual: nn.Module, images: Inputs) -> None:
    class Noisy(Stopwatch):
        def __call__(self, model: nn.Module) -> Reading:
            reading = super().__call__(model)
            noise = 1 + 0.03 * (-1) ** self.calls
            return Reading(reading.unpruned_ms, reading.ratio * noise, reading.low * noise, reading.high * noise)

    stopwatch, method = Noisy(), load_method("magnitude_l2")
    for percent in (50, 60, 70, 80):
        budget = Budget("latency", percent / 100)
        outcome = prune_to_budget(
            residual, images, budget, method, seed=0, round_to=1, tolerance=0.02, stopwatch=stopwatch
        ).budget
        assert outcome.within
        assert len({attempt.ratio for attempt in outcome.attempts}) == len(outcome.attempts) <= 12
