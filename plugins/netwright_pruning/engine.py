"""The pruning engine: a copy of a model, pruned to a budget."""

import copy
from collections.abc import Collection, Iterable, Mapping, Sequence

import torch
from torch import nn

from netwright.cases import Inputs
from netwright.cost import count_cost
from netwright.errors import NetwrightError, UserError
from netwright_pruning.budget import Budget
from netwright_pruning.equality import check_equality
from netwright_pruning.gradients import Batch, leave_gradients
from netwright_pruning.groups import Graph, prunable_groups
from netwright_pruning.method import BasePruningMethod, Importance
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
    operation = _Operation(model, inputs, budget, tolerance=tolerance, round_to=round_to)
    graph = operation.rehearsal.graph
    ranking = _rank(model, inputs, graph, method, operation.faults, round_to=round_to, batches=batches, seed=seed)
    while True:
        search = operation.search(ranking)
        try:
            widths = search.run(operation.unpruned)
        except BrokenForwardError as broken:
            operation.leave_whole(broken.faults)
            continue
        cuts = search.ranking.cuts(widths)
        surgeon = Surgeon(copy.deepcopy(model), inputs, graph)
        faults = [] if surgeon.remove_all(cuts) else Surgeon(copy.deepcopy(model), inputs, graph).remove_each(cuts)
        equality = check_equality(model, inputs, graph, {} if faults else cuts, seed=seed)
        if equality.verdict == "different":
            faults = _culprits(model, inputs, graph, cuts, seed=seed)
        if not faults:
            break
        operation.leave_whole(faults)
    after = count_cost(surgeon.model, inputs)
    achieved = getattr(after, budget.metric)
    outcome = BudgetOutcome(
        metric=budget.metric,
        unpruned=operation.unpruned,
        target=operation.target.value,
        tolerance=tolerance,
        achieved=achieved,
        error=operation.target.error(achieved),
        within=operation.target.contains(achieved),
        round_to=round_to,
        relaxed=search.relaxed,
        attempts=search.attempts,
    )
    resized = _resized(search.ranking, widths)
    pruned = _as_it_was(surgeon.model, model)
    return Pruning(pruned, operation.before, after, outcome, resized, tuple(operation.faults.values()), equality)


def check_budget(model: nn.Module, inputs: Inputs, budget: Budget, *, tolerance: float, round_to: int) -> None:
    """Make sure that a budget can be met, whatever the method, before anything is spent on the model.

    Raises:
        UserError: It cannot, or the model has no layer to prune.
        NetwrightError: The model cannot be traced.
    """
    _Operation(model, inputs, budget, tolerance=tolerance, round_to=round_to)


def _culprits(
    model: nn.Module, inputs: Inputs, graph: Graph, cuts: Mapping[str, list[int]], *, seed: int
) -> list[Fault]:
    """The groups after whose removal, alone, the model computes something else.

    Raises:
        NetwrightError: It is none of them alone.
    """
    faults = []
    for name, channels in cuts.items():
        equality = check_equality(model, inputs, graph, {name: channels}, seed=seed)
        if equality.verdict == "different":
            away = f"the outputs are {equality.error:.1g} away from those of the model with zeroed channels"
            reason = equality.reason or away
            faults.append(Fault(name, name.partition("[")[0], reason))
    if not faults:
        raise NetwrightError("the pruned model computes something else", why="no group alone is at fault")
    return faults


def _rank(
    model: nn.Module,
    inputs: Inputs,
    graph: Graph,
    method: BasePruningMethod,
    left_whole: Collection[str],
    *,
    round_to: int,
    batches: Sequence[Batch] | None,
    seed: int,
) -> Ranking:
    """The channel groups of a model, but those left whole, as a method scores them."""
    model = copy.deepcopy(model)
    for parameter in model.parameters():
        if parameter.is_floating_point():
            parameter.requires_grad_(True)
    if method.needs_gradients:
        leave_gradients(model, inputs, batches, seed=seed)
    importance = method.importance(seed=seed)
    scored = []
    for group, members in prunable_groups(graph, model):
        scores = None if group.name in left_whole else importance(members)
        if scores is not None:
            scored.append(score_units(group, scores, round_to, absolute=method.absolute))
    return Ranking(scored, isomorphic=method.isomorphic)


class _AllAlike(BasePruningMethod):
    """No channel matters more than another."""

    def importance(self, *, seed: int) -> Importance:  # noqa: ARG002 - nothing is random here
        return lambda group: torch.ones(len(group[0].idxs))


class _Operation:
    """What is known on the way to a budget: the model's cost, the target, and the groups that have to stay whole.

    Making one cuts every group to its floor, one after the other, to find the groups that the model does not work
    without, and to see that the budget can be met.
    """

    def __init__(self, model: nn.Module, inputs: Inputs, budget: Budget, *, tolerance: float, round_to: int) -> None:
        self.rehearsal = Rehearsal(model, inputs)
        self.before = self.rehearsal.cost({})
        self.unpruned: int = getattr(self.before, budget.metric)
        self.target = budget.target(self.unpruned, tolerance)
        self.faults: dict[str, Fault] = {}
        self._metric = budget.metric
        everything, faults = self._rehearse(round_to)
        while faults and self.rehearsal.couple(faults):
            everything, faults = self._rehearse(round_to)
        if faults and self.rehearsal.uncouple(faults):
            everything, faults = self._rehearse(round_to)
        self.leave_whole(faults)
        self.search(everything).reach_floor(self.unpruned)

    def _rehearse(self, round_to: int) -> tuple[Ranking, list[Fault]]:
        """All groups, and those among them that the model does not work without."""
        stand_in, inputs, graph = self.rehearsal.model, self.rehearsal.inputs, self.rehearsal.graph
        everything = _rank(stand_in, inputs, graph, _AllAlike(), (), round_to=round_to, batches=None, seed=0)
        return everything, self.rehearsal.faults(everything.cuts(everything.widths(1.0)))

    def leave_whole(self, faults: Iterable[Fault]) -> None:
        self.faults |= {fault.group: fault for fault in faults}

    def search(self, ranking: Ranking) -> BudgetSearch:
        rest = ranking.without(self.faults)
        if not rest.groups:
            modules = ", ".join(sorted({f"'{fault.module}'" for fault in self.faults.values()}))
            why = f"{modules} fail without all their channels" if modules else "all its layers reach the output"
            raise UserError("the model has no layer to prune", why=why)

        def measure(widths: Widths) -> float:
            return float(getattr(self.rehearsal.cost(rest.cuts(widths)), self._metric))

        return BudgetSearch(measure, rest, self.target)


def _as_it_was(pruned: nn.Module, model: nn.Module) -> nn.Module:
    """The pruned copy without gradients, in the modes of `model`, and with the same parameters frozen."""
    pruned.zero_grad(set_to_none=True)
    modes = {name: module.training for name, module in model.named_modules()}
    for name, module in pruned.named_modules():
        module.training = modes[name]
    learning = {name: parameter.requires_grad for name, parameter in model.named_parameters(remove_duplicate=False)}
    for name, parameter in pruned.named_parameters():
        parameter.requires_grad_(learning[name])
    return pruned


def _resized(ranking: Ranking, widths: Widths) -> dict[str, tuple[int, int]]:
    resized = {}
    for name, scored in ranking.groups.items():
        if widths[name] < scored.group.units:
            resized[name] = (scored.group.channels, widths[name] * scored.group.blocks)
    return resized
