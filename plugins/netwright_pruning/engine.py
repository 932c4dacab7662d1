"""The pruning engine: a copy of a model, pruned to a budget."""

import copy
from collections.abc import Iterable, Mapping, Sequence

from torch import nn

from netwright.cases import Inputs
from netwright.errors import UserError
from netwright_pruning.budget import Budget
from netwright_pruning.gradients import Batch, leave_gradients
from netwright_pruning.groups import prunable_groups, trace
from netwright_pruning.method import BasePruningMethod
from netwright_pruning.outcome import BudgetOutcome, Pruning
from netwright_pruning.ranking import Ranking, Widths, score_units
from netwright_pruning.rehearsal import BrokenForwardError, Rehearsal
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

    Inputs and outputs of the model keep their shapes, and `model` itself is left as it is. Groups of channels that it
    does not work without are left whole; `Pruning.faults` names the modules at fault.

    Args:
        inputs: The arguments of one forward call, on the model's device; costs are counted for them, in eval mode.
        method: Scores the channels.
        seed: Everything random derives from it.
        tolerance: How far from the budget is near enough, relative to it, on both sides.
        round_to: Widths are multiples of it; 1 rounds nothing.
        batches: On the model's device, for methods that need gradients; None takes random projections of the output.

    Returns:
        The pruned copy and how it came about. Where rounding keeps the budget from being hit, the closest that was
        found; `budget.within` says so.

    Raises:
        UserError: The budget cannot be met (the message says what can), or the model has no layer to prune.
        NetwrightError: The model cannot be traced, or the method's scores are unusable.
    """
    rehearsal = Rehearsal(model, inputs)
    before = rehearsal.cost({})
    unpruned = getattr(before, budget.metric)
    target = budget.target(unpruned, tolerance)
    ranking = rank(model, inputs, method, round_to=round_to, batches=batches, seed=seed)
    faults = _by_group(rehearsal.faults(ranking.cuts(ranking.widths(1.0))))
    while True:
        rest = _leave_whole(ranking, faults)
        search = BudgetSearch(
            lambda widths, rest=rest: getattr(rehearsal.cost(rest.cuts(widths)), budget.metric),  # type: ignore[misc]
            rest,
            target,
        )
        try:
            widths = search.run(unpruned)
        except BrokenForwardError as broken:
            faults |= _by_group(broken.faults)
            continue
        pruned, found = _operate(model, inputs, rest.cuts(widths))
        if not found:
            break
        faults |= _by_group(found)
    after = rehearsal.cost(rest.cuts(widths))
    achieved = getattr(after, budget.metric)
    outcome = BudgetOutcome(
        metric=budget.metric,
        unpruned=unpruned,
        target=target.value,
        tolerance=tolerance,
        achieved=achieved,
        error=target.error(achieved),
        within=target.contains(achieved),
        round_to=round_to,
        attempts=search.attempts,
    )
    return Pruning(pruned, before, after, outcome, _resized(rest, widths), tuple(faults.values()))


def rank(
    model: nn.Module,
    inputs: Inputs,
    method: BasePruningMethod,
    *,
    round_to: int,
    batches: Sequence[Batch] | None,
    seed: int,
) -> Ranking:
    """Score and rank all channel groups of a model with a method; arguments and errors as of `prune_to_budget`."""
    model = copy.deepcopy(model)
    graph = trace(model, inputs)
    if method.needs_gradients:
        leave_gradients(model, inputs, batches, seed=seed)
    importance = method.importance(seed=seed)
    scored = []
    for group, members in prunable_groups(graph):
        scores = importance(members)
        if scores is not None:
            scored.append(score_units(group, scores, round_to))
    return Ranking(scored, isomorphic=method.isomorphic)


def _leave_whole(ranking: Ranking, faults: Mapping[str, Fault]) -> Ranking:
    rest = ranking.without(faults)
    if not rest.groups:
        modules = ", ".join(sorted({f"'{fault.module}'" for fault in faults.values()}))
        why = f"{modules} fail without all their channels" if faults else "all its layers reach the output"
        raise UserError("the model has no layer to prune", why=why)
    return rest


def _by_group(faults: Iterable[Fault]) -> dict[str, Fault]:
    return {fault.group: fault for fault in faults}


def _operate(model: nn.Module, inputs: Inputs, cuts: Mapping[str, list[int]]) -> tuple[nn.Module, list[Fault]]:
    """A copy of the model without the channels of `cuts`, and the cuts that had to be undone."""
    surgeon = Surgeon(copy.deepcopy(model), inputs)
    faults = surgeon.remove_each(cuts)
    pruned = surgeon.model
    pruned.zero_grad(set_to_none=True)
    originals = dict(model.named_modules())
    for name, module in pruned.named_modules():
        module.training = originals[name].training
    parameters = dict(model.named_parameters())
    for name, parameter in pruned.named_parameters():
        parameter.requires_grad_(parameters[name].requires_grad)
    return pruned, faults


def _resized(ranking: Ranking, widths: Widths) -> dict[str, tuple[int, int]]:
    resized = {}
    for name, scored in ranking.groups.items():
        if widths[name] < scored.group.units:
            resized[name] = (scored.group.channels, widths[name] * scored.group.blocks)
    return resized
