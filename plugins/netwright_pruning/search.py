"""The search for the widths that hit a budget."""

from collections.abc import Callable

from netwright.errors import UserError
from netwright.formatting import format_number
from netwright.result import Record
from netwright_pruning.budget import BudgetMetric, Target
from netwright_pruning.ranking import Ranking, Widths

RATIO_RESOLUTION = 1e-6

Measure = Callable[[Widths], float]
"""The cost of the model with these widths; deterministic."""


class Attempt(Record):
    """One set of widths that was tried."""

    ratio: float | None
    """The share of all units that was to go; None for a single step that followed."""
    narrowed: str | None = None
    """The group that a single step made narrower."""
    relaxed: str | None = None
    """The group whose width was freed of rounding."""
    achieved: float
    error: float
    """Relative to the target; negative means less than asked for."""
    metric: BudgetMetric | None = None
    """Of several budgets, the one that binds here."""
    interval: tuple[float, float] | None = None
    """The confidence interval of a latency, in milliseconds."""


class BudgetSearch:
    """Finds widths whose cost lies in the target's band, or comes closest to it.

    The ratio is searched by guarded false position: the bracket is interpolated linearly, and halved where that stays
    on one side. Rounded widths make the cost a staircase, so that the band may lie between two steps; then the wider
    ones are made narrower group by group, least important step first, leaving out the steps that would go too far.
    Where that is not enough either, single groups are freed of rounding, as few as possible: the budget wins.

    Attributes:
        attempts: Everything that was measured, in order.
        relaxed: Groups of the widths that were found which are not rounded.
    """

    def __init__(self, measure: Measure, ranking: Ranking, target: Target) -> None:
        self.ranking = ranking
        self.target = target
        self.attempts: list[Attempt] = []
        self.relaxed: list[str] = []
        self._measure = measure
        self._best: tuple[float, Widths] = (float("inf"), ranking.whole)

    def run(self, unpruned: float) -> Widths:
        """Search.

        Args:
            unpruned: The cost of the unpruned model, above the target.

        Returns:
            The widths whose cost is closest to the target.

        Raises:
            UserError: Even the narrowest widths cost more than the band allows; the message says how much.
        """
        floor = self.reach_floor(unpruned)
        wider = self._search_ratio(unpruned, floor)
        if not self._hit:
            lowest = self._search_steps(wider)
            if not self._hit:
                self._relax(lowest)
        self.relaxed = [
            name for name, units in self._best[1].items() if not self.ranking.groups[name].is_rounded(units)
        ]
        return self._best[1]

    def reach_floor(self, unpruned: float) -> float:
        """The cost of the narrowest widths; raises as `run`."""
        floor = self._try(self.ranking.widths(1.0), ratio=1.0)
        if floor > self.target.value and not self.target.contains(floor):
            raise UserError(
                f"the budget of {format_number(self.target.value)} cannot be met",
                why=f"the narrowest layers leave {format_number(floor)}, a fraction of {floor / unpruned:.3f}",
                remedy="ask for more than that, or allow narrower layers with a smaller agent.round_to",
            )
        return floor

    @property
    def _hit(self) -> bool:
        return self._best[0] <= self.target.tolerance

    def _try(
        self, widths: Widths, *, ratio: float | None = None, narrowed: str | None = None, relaxed: str | None = None
    ) -> float:
        achieved = self._measure(widths)
        error = self.target.error(achieved)
        attempt = Attempt(ratio=ratio, narrowed=narrowed, relaxed=relaxed, achieved=achieved, error=error)
        self.attempts.append(attempt)
        if abs(error) < self._best[0]:
            self._best = (abs(error), widths)
        return achieved

    def _search_ratio(self, unpruned: float, floor: float) -> Widths:
        """Narrow the bracket until the band is hit or nothing lies between its ends; the widths of its wider end."""
        low, high = 0.0, 1.0
        wide, narrow = self.ranking.whole, self.ranking.widths(1.0)
        wide_cost, narrow_cost = unpruned, floor
        one_sided = 0
        while not self._hit and high - low > RATIO_RESOLUTION:
            share = 0.5
            if abs(one_sided) < 2 and wide_cost > narrow_cost:
                share = min(0.95, max(0.05, (wide_cost - self.target.value) / (wide_cost - narrow_cost)))
            ratio = low + (high - low) * share
            widths = self.ranking.widths(ratio)
            if widths == wide:
                achieved = wide_cost
            elif widths == narrow:
                achieved = narrow_cost
            else:
                achieved = self._try(widths, ratio=ratio)
            if achieved > self.target.value:
                low, wide, wide_cost, one_sided = ratio, widths, achieved, max(1, one_sided + 1)
            else:
                high, narrow, narrow_cost, one_sided = ratio, widths, achieved, min(-1, one_sided - 1)
        return wide

    def _search_steps(self, widths: Widths) -> Widths:
        """Go down from `widths` step by step; a group whose step went too far once is left alone.

        Returns:
            The lowest widths above the band from which every step goes too far.
        """
        too_far: set[str] = set()
        while not self._hit:
            for name, narrower in self.ranking.narrowed(widths):
                if name in too_far:
                    continue
                achieved = self._try(narrower, narrowed=name)
                if achieved >= self.target.value * (1 - self.target.tolerance):
                    widths = narrower
                    break
                too_far.add(name)
            else:
                return widths
        return widths

    def _relax(self, widths: Widths) -> None:
        """Go down from `widths` by unrounded steps of one group after the other, each as far as the target allows."""
        for name, narrower in self.ranking.narrowed(widths):
            low, high = narrower[name], widths[name]  # too few units, too many
            while not self._hit and high - low > 1:
                middle = (low + high) // 2
                achieved = self._try({**widths, name: middle}, relaxed=name)
                if achieved > self.target.value:
                    high = middle
                else:
                    low = middle
            widths = {**widths, name: high}
            if self._hit:
                return
