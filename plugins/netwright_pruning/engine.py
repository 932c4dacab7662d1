"""The pruning engine: a copy of a model, pruned to a budget."""

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from netwright.cases import Inputs, map_tensors
from netwright.context import current_run
from netwright.cost import Cost, count_cost
from netwright.errors import UserError
from netwright_pruning.budget import Budget, format_count
from netwright_pruning.gradients import Batch, leave_gradients
from netwright_pruning.groups import call, prunable_groups, trace
from netwright_pruning.method import BasePruningMethod
from netwright_pruning.outcome import BudgetOutcome, Pruning
from netwright_pruning.ranking import Ranking, Widths, score_units
from netwright_pruning.search import BudgetSearch
from netwright_pruning.surgery import Fault, Surgeon


def prune_to_budget(
    model: nn.Module,
    inputs: Inputs,
    budget: Budget,
    method: BasePruningMethod,
    *,
    seed: int,
    tolerance: float = 0.01,
    round_to: int = 8,
    batches: Sequence[Batch] | None = None,
) -> Pruning:
    """Remove the least important channels of a copy of `model` until the budget is met.

    The model's inputs and outputs keep their shapes. Widths are searched on a copy without data (the meta device) where
    the model's forward works there, so that an attempt costs no arithmetic. `model` itself is left as it is.

    Args:
        inputs: The arguments of one forward call, on the model's device; costs are counted for them.
        method: Scores the channels.
        seed: Everything random derives from it.
        tolerance: How far from the budget is near enough, relative to it, on both sides.
        round_to: Widths are multiples of it; 1 rounds nothing.
        batches: On the model's device, for methods that need gradients; None takes random projections of the output.

    Returns:
        The pruned copy and how it came about. Where the widths' rounding keeps the budget from being hit, the closest
        model that was found; `budget.within` says so.

    Raises:
        UserError: The budget cannot be met, or the model has no layer to prune.
        NetwrightError: The model cannot be traced, or the method's scores are unusable.
    """
    before = count_cost(model, inputs)
    target = budget.target(getattr(before, budget.metric), tolerance)
    ranking = _rank(model, inputs, method, round_to, batches, seed)
    faults: dict[str, Fault] = {}
    theatre = _Theatre(model, inputs)
    _exclude(theatre.faults(ranking.cuts(ranking.widths(1.0))), faults)
    while True:
        rest = ranking.without(faults)
        if not rest.groups:
            raise UserError("the model has no layer to prune", why=_why_none(faults))
        search = BudgetSearch(rest, lambda widths, rest=rest: theatre.cost(rest, widths, budget), target)  # type: ignore[misc]
        try:
            widths = search.run(getattr(before, budget.metric))
        except _BrokenForward as broken:
            _exclude(broken.faults, faults)
            continue
        pruned, found = _operate(model, inputs, rest.cuts(widths))
        if not found:
            break
        _exclude(found, faults)
    after = count_cost(pruned, inputs)
    achieved = getattr(after, budget.metric)
    outcome = BudgetOutcome(
        metric=budget.metric,
        unpruned=getattr(before, budget.metric),
        target=target.value,
        tolerance=tolerance,
        achieved=achieved,
        error=target.error(achieved),
        within=target.contains(achieved),
        round_to=round_to,
        attempts=search.attempts,
    )
    resized = {name: (rest.groups[name].group.channels, width) for name, width in _channels(rest, widths).items()}
    return Pruning(pruned, before, after, outcome, resized, tuple(faults.values()))
