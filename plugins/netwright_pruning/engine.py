"""The pruning engine: a copy of a model, pruned to a budget."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from netwright.cases import Inputs
from netwright.cost import Cost, count_cost
from netwright.errors import NetwrightError, UserError
from netwright_pruning.activations import leave_activations
from netwright_pruning.allocation import Allocation
from netwright_pruning.budget import Budget, BudgetMetric
from netwright_pruning.equality import Equality, check_equality, find_culprits
from netwright_pruning.goal import Figures, Goal, set_goal
from netwright_pruning.gradients import Batch, leave_gradients
from netwright_pruning.groups import Graph, prunable_groups
from netwright_pruning.heads import Heads
from netwright_pruning.latency_search import LatencySearch
from netwright_pruning.multihead import close_up
from netwright_pruning.outcome import BudgetOutcome, Pruning, Share
from netwright_pruning.precomputation import KeyParts, kept_scores
from netwright_pruning.ranking import EVEN, Ranking, Widths, score_units
from netwright_pruning.rehearsal import BrokenForwardError
from netwright_pruning.scoring import ScoringMethod
from netwright_pruning.search import Attempt, BudgetSearch
from netwright_pruning.stopwatch import Reading, Stopwatch
from netwright_pruning.surgery import Fault, Surgeon
from netwright_pruning.survey import Survey, by_group, require_layers


def prune_to_budget(
    model: nn.Module,
    inputs: Inputs,
    budget: Budget | Sequence[Budget],
    method: ScoringMethod,
    *,
    seed: int,
    tolerance: float = 0.01,
    round_to: int | None = None,
    batches: Sequence[Batch] | None = None,
    allocation: Allocation = EVEN,
    stopwatch: Stopwatch | None = None,
    heads: Heads = "whole",
    survey: Survey | None = None,
) -> Pruning:
    """Remove the least important channels of a copy of `model` until the budget is met.

    Inputs and outputs of the model keep their shapes, and `model` itself is left as it is. Groups of channels that it
    does not work without are left whole; `Pruning.faults` names the modules at fault.

    Args:
        inputs: The arguments of one forward call, on the model's device; costs are counted for them, in eval mode.
        budget: Of several, all hold, and the one that leaves least is hit.
        method: Scores the channels.
        seed: Everything random derives from it.
        tolerance: How far from the budget is near enough, relative to it, on both sides.
        round_to: Widths are multiples of it; 1 rounds nothing, None takes 16, and 8 in narrow layers.
        batches: On the model's device, for methods that need gradients; None takes random projections of the output.
        allocation: Which layers lose more than others, and which must keep how much.
        stopwatch: Measures latency, for budgets of it.
        heads: What goes from attention: whole heads, or the same dimensions of every head.
        survey: Of the same model, with the same `round_to` and `heads`; made here where it is not given.

    Returns:
        The pruned copy and how it came about. Where rounding keeps the budget from being hit, the closest that was
        found; `budget.within` says so.

    Raises:
        UserError: The budget cannot be met (the message says what can), or the model has no layer to prune.
        NetwrightError: The model cannot be traced, or the method's scores are unusable.
    """
    budgets = [budget] if isinstance(budget, Budget) else list(budget)
    survey = survey or Survey(model, inputs, round_to=round_to, heads=heads)
    operation = _Operation(model, inputs, survey, budgets, tolerance, stopwatch)
    ranking = rank_groups(model, inputs, survey, method, allocation, batches=batches, seed=seed)
    while True:
        rest = require_layers(ranking, operation.faults)
        try:
            found = operation.search(rest)
        except BrokenForwardError as broken:
            operation.faults |= by_group(broken.faults)
            continue
        cuts = rest.cuts(found.widths)
        surgeon, equality, faults = _cut(model, inputs, survey.rehearsal.graph, cuts, seed=seed)
        operation.faults |= by_group(faults)
        if faults:
            continue
        after = count_cost(surgeon.model, inputs)
        if not survey.exact or survey.counts(cuts) == _counts(after):
            break
        survey.distrust()
    outcome = operation.outcome(found, after, round_to)
    resized = _resized(rest, found.widths)
    return Pruning(
        _as_it_was(surgeon.model, model),
        survey.before,
        after,
        outcome,
        resized,
        tuple(operation.faults.values()),
        equality,
        surgeon.kept_outputs(),
    )


def check_budget(
    model: nn.Module,
    inputs: Inputs,
    budget: Budget | Sequence[Budget],
    *,
    tolerance: float,
    round_to: int | None,
    heads: Heads = "whole",
) -> Survey:
    """Make sure that a budget can be met, whatever the method, before anything is spent on the model.

    A budget of latency cannot be judged before something is measured.

    Returns:
        The model's survey, for all prunings to come.

    Raises:
        UserError: It cannot, or the model has no layer to prune.
        NetwrightError: The model cannot be traced.
    """
    budgets = [budget] if isinstance(budget, Budget) else list(budget)
    survey = Survey(model, inputs, round_to=round_to, heads=heads)
    counted = [budget for budget in budgets if budget.metric != "latency"]
    if counted:
        goal = set_goal(counted, survey.counts({}), tolerance)
        goal.refuse_unreachable(survey.counts(survey.narrowest))
    return survey


@dataclass(frozen=True)
class _Found:
    """What a search came to.

    Attributes:
        latency_ms: Of these widths, where it was measured.
        within: Whether the goal is reached.
    """

    widths: Widths
    attempts: list[Attempt]
    relaxed: list[str]
    within: bool
    latency_ms: float | None = None


class _Operation:
    """One way to a goal: the targets, the groups that have to stay whole, and the searches."""

    def __init__(
        self,
        model: nn.Module,
        inputs: Inputs,
        survey: Survey,
        budgets: Sequence[Budget],
        tolerance: float,
        stopwatch: Stopwatch | None,
    ) -> None:
        self.faults: dict[str, Fault] = dict(survey.faults)
        self._model, self._inputs, self._survey = model, inputs, survey
        self._tolerance = tolerance
        counted = [budget for budget in budgets if budget.metric != "latency"]
        self._counts = set_goal(counted, survey.counts({}), tolerance) if counted else None
        self._latency = next((budget for budget in budgets if budget.metric == "latency"), None)
        self._stopwatch = stopwatch
        self._unpruned_ms = 0.0
        if self._latency is not None and stopwatch is None:
            raise UserError(
                "nothing measures latency here", remedy="give a stopwatch, or a budget of macs or parameters"
            )

    def search(self, ranking: Ranking) -> _Found:
        """The widths that reach the goal, or come closest to it.

        Raises:
            UserError: The goal cannot be reached.
            BrokenForwardError: The model does not work with some of the widths.
        """
        counted = self._search_counts(ranking, self._counts) if self._counts else None
        if self._latency is None or self._stopwatch is None:
            assert counted is not None
            return counted
        return self._search_latency(ranking, self._latency, self._stopwatch, counted)

    def outcome(self, found: _Found, after: Cost, round_to: int | None) -> BudgetOutcome:
        """How the budgets were met."""
        figures, unpruned = _counts(after), dict(self._survey.counts({}))
        targets = dict(self._counts.targets) if self._counts else {}
        if self._latency is not None and found.latency_ms is not None:
            figures["latency"], unpruned["latency"] = found.latency_ms, self._unpruned_ms
            targets["latency"] = self._latency.target(self._unpruned_ms, self._tolerance)
        binding = Goal(targets, unpruned, self._tolerance).binding(figures)
        shares = [
            Share(
                metric=metric,
                unpruned=unpruned[metric],
                target=target.value,
                achieved=figures[metric],
                error=target.error(figures[metric]),
            )
            for metric, target in targets.items()
        ]
        return BudgetOutcome(
            metric=binding,
            unpruned=unpruned[binding],
            target=targets[binding].value,
            tolerance=self._tolerance,
            achieved=figures[binding],
            error=targets[binding].error(figures[binding]),
            within=found.within,
            round_to=round_to,
            relaxed=found.relaxed,
            attempts=found.attempts,
            all=shares if len(shares) > 1 else [],
        )

    def _search_counts(self, ranking: Ranking, goal: Goal) -> _Found:
        goal.refuse_unreachable(self._survey.counts(ranking.cuts(ranking.widths(1.0))))
        measured: list[Figures] = []

        def measure(widths: Widths) -> float:
            measured.append(self._survey.counts(ranking.cuts(widths)))
            return goal.load(measured[-1])

        search = BudgetSearch(measure, ranking, goal.relative)
        widths = search.run(goal.load(goal.unpruned))
        attempts = []
        for attempt, figures in zip(search.attempts, measured, strict=True):
            binding = goal.binding(figures)
            named = {"metric": binding} if len(goal.targets) > 1 else {}
            attempts.append(attempt.model_copy(update={"achieved": figures[binding], **named}))
        load = goal.load(self._survey.counts(ranking.cuts(widths)))
        return _Found(widths, attempts, search.relaxed, goal.relative.contains(load))

    def _search_latency(self, ranking: Ranking, budget: Budget, stopwatch: Stopwatch, counted: _Found | None) -> _Found:
        """Where the counts leave more latency than is allowed, narrower widths; otherwise those of the counts."""

        def measure(widths: Widths) -> Reading:
            surgeon = Surgeon(copy.deepcopy(self._model), self._inputs, self._survey.rehearsal.graph)
            if not surgeon.remove_all(ranking.cuts(widths)):
                raise BrokenForwardError(self._survey.rehearsal.faults(ranking.cuts(widths)))
            return stopwatch(surgeon.model)

        start = counted.widths if counted else ranking.widths(budget.amount if not budget.absolute else 0.5)
        first = measure(start)
        self._unpruned_ms = first.unpruned_ms
        target = budget.target(first.unpruned_ms, self._tolerance)
        so_far = counted.attempts if counted else []
        if counted and first.ratio * first.unpruned_ms <= target.value * (1 + target.tolerance):
            return _Found(start, so_far, counted.relaxed, counted.within, first.ratio * first.unpruned_ms)
        search = LatencySearch(measure, ranking, target, first.unpruned_ms)
        lowest = max((a.ratio or 0.0 for a in so_far if a.error > 0), default=0.0)
        guess = lowest + (1 - lowest) / 3 if counted else 1 - target.value / first.unpruned_ms
        widths, achieved = search.run(lowest, guess)
        if not search.within and achieved > target.value:
            Goal({"latency": target}, {"latency": first.unpruned_ms}, self._tolerance).refuse_unreachable(
                {"latency": min(attempt.achieved for attempt in search.attempts)}
            )
        return _Found(widths, [*so_far, *search.attempts], [], search.within, achieved)


def _cut(
    model: nn.Module, inputs: Inputs, graph: Graph, cuts: Mapping[str, list[int]], *, seed: int
) -> tuple[Surgeon, Equality, list[Fault]]:
    """A copy without the channels, how it compares with the zeroed original, and the groups at fault if it does not."""
    surgeon = Surgeon(copy.deepcopy(model), inputs, graph)
    faults = [] if surgeon.remove_all(cuts) else Surgeon(copy.deepcopy(model), inputs, graph).remove_each(cuts)
    equality = check_equality(model, inputs, graph, {} if faults else cuts, seed=seed)
    if equality.verdict == "different":
        faults = find_culprits(model, inputs, graph, cuts, seed=seed)
        if not faults:
            raise NetwrightError("the pruned model computes something else", why="no group alone is at fault")
    return surgeon, equality, faults


def rank_groups(
    model: nn.Module,
    inputs: Inputs,
    survey: Survey,
    method: ScoringMethod,
    allocation: Allocation,
    *,
    batches: Sequence[Batch] | None,
    seed: int,
) -> Ranking:
    """The channel groups of a model, but those that have to stay whole, as a method scores them."""
    groups = {group.name: group for group in survey.rehearsal.graph.groups.values() if group.name not in survey.faults}
    looked_at = batches if method.needs_gradients or method.needs_activations else None
    scores = kept_scores(
        KeyParts(model, inputs, method, looked_at, seed, tuple(groups)),
        lambda: _scores(model, inputs, survey, method, batches=batches, seed=seed),
    )
    scored = [
        score_units(group, found, survey.round_to, absolute=method.absolute, allocation=allocation)
        for name, group in groups.items()
        if (found := scores.get(name)) is not None
    ]
    if not scored:
        count, name = len(survey.rehearsal.graph.groups), type(method).__name__
        why = f"{name} scores none of the model's {count} groups of channels"
        raise UserError("this method finds nothing to prune", why=why, remedy="take another baseline")
    return Ranking(scored, isomorphic=method.isomorphic)


def _scores(
    model: nn.Module,
    inputs: Inputs,
    survey: Survey,
    method: ScoringMethod,
    *,
    batches: Sequence[Batch] | None,
    seed: int,
) -> dict[str, Tensor]:
    """Per group that does not have to stay whole, what a method says of its channels; nothing where that is nothing."""
    model = copy.deepcopy(model)
    for parameter in model.parameters():
        if parameter.is_floating_point():
            parameter.requires_grad_(True)
    if method.needs_gradients:
        leave_gradients(model, inputs, batches, seed=seed, squared=method.squared_gradients)
    if method.needs_activations:
        leave_activations(model, inputs, batches)
    importance = method.importance(seed=seed)
    found = {}
    for group, members in prunable_groups(survey.rehearsal.graph, model):
        scores = None if group.name in survey.faults else importance(members)
        if scores is not None:
            found[group.name] = scores
    return found


def _counts(cost: Cost) -> dict[BudgetMetric, float]:
    return {"macs": cost.macs, "parameters": cost.parameters}


def _as_it_was(pruned: nn.Module, model: nn.Module) -> nn.Module:
    """The pruned copy without gradients, in the modes of `model`, and with the same parameters frozen."""
    pruned.zero_grad(set_to_none=True)
    close_up(pruned)
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
