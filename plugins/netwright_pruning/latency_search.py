"""The search for the widths that hit a budget of latency, by measurements on the machine at hand."""

from collections.abc import Callable

from netwright_pruning.budget import Target
from netwright_pruning.ranking import Ranking, Widths
from netwright_pruning.search import Attempt
from netwright_pruning.stopwatch import Reading

MOST_ATTEMPTS = 12
INDISTINCT = 0.05
"""How far from the target a latency may lie whose confidence interval contains the target."""

NEAR_THE_END = 0.03
NUDGE, NUDGES = 0.005, 20
NEAR, CLIFF = 0.02, 0.1
"""Ratios as near to each other, whose loads lie as far apart, leave the way between their widths to single steps."""
CREEPING = 3
"""As many measurements in a row on one side of the target show that interpolation leads nowhere."""


class LatencySearch:
    """Narrows the ratio down to a latency. Measurements are noisy and dear, so that a dozen has to do.

    Args:
        measure: Times the model with these widths.
        target: The latency in milliseconds, for an unpruned model that takes `unpruned_ms`.

    Attributes:
        attempts: Everything that was measured, in order.
        within: Whether the last of the attempts hit the target.
    """

    def __init__(
        self, measure: Callable[[Widths], Reading], ranking: Ranking, target: Target, unpruned_ms: float
    ) -> None:
        self.ranking = ranking
        self.target = target
        self.attempts: list[Attempt] = []
        self.within = False
        self._measure = measure
        self._unpruned_ms = unpruned_ms
        self._best: tuple[float, Widths, float] = (float("inf"), ranking.whole, unpruned_ms)

    def run(self, lowest: float, guess: float) -> tuple[Widths, float]:
        """Search the ratios from `lowest` to 1, `guess` first.

        Returns:
            The widths whose latency came closest to the target, and that latency in milliseconds.
        """
        tried: list[tuple[float, float]] = []
        seen: list[Widths] = []
        if lowest == 0:
            tried.append((0.0, self._unpruned_ms / self.target.value))
        ratio: float | None = guess
        while ratio is not None and self._go_on:
            widths = self.ranking.widths(ratio)
            seen.append(widths)
            tried.append((ratio, self._try(widths, ratio=ratio)))
            ratio = self._unseen(_next_ratio(tried, lowest), lowest, seen)
            (high, high_load), (low, low_load) = _next_to(tried, lowest)
            stuck = ratio is None or not low < ratio < high or high - low <= NEAR
            if stuck and low < high and low_load - high_load > CLIFF:
                self._search_between((low, low_load), (high, high_load))
        return self._best[1], self._best[2]

    @property
    def _go_on(self) -> bool:
        return len(self.attempts) < MOST_ATTEMPTS and not self.within

    def _search_between(self, wide: tuple[float, float], narrow: tuple[float, float]) -> None:
        """Go from the widths of one ratio to those of the next step by step, where the target lies in between.

        Args:
            wide: The ratio, and how much of the target its widths take: more than 1.
            narrow: As much of the other: less than 1.
        """
        path = list(self.ranking.steps(self.ranking.widths(wide[0]), self.ranking.widths(narrow[0])))
        low, low_load, high, high_load = -1, wide[1], len(path) - 1, narrow[1]
        while self._go_on and high - low > 1:
            share = (low_load - 1) / (low_load - high_load)
            place = min(high - 1, max(low + 1, low + round((high - low) * share)))
            name, widths = path[place]
            load = self._try(widths, narrowed=name)
            if load > 1:
                low, low_load = place, load
            else:
                high, high_load = place, load

    def _unseen(self, ratio: float, lowest: float, seen: list[Widths]) -> float | None:
        """The nearest ratio whose widths were not measured yet; None where there is none in reach."""
        for step in range(NUDGES):
            for nudged in (ratio + step * NUDGE, ratio - step * NUDGE):
                if lowest <= nudged <= 1 and self.ranking.widths(nudged) not in seen:
                    return nudged
        return None

    def _try(self, widths: Widths, *, ratio: float | None = None, narrowed: str | None = None) -> float:
        """How much of the target the widths take."""
        reading = self._measure(widths)
        achieved = reading.ratio * self._unpruned_ms
        error = self.target.error(achieved)
        interval = (reading.low * self._unpruned_ms, reading.high * self._unpruned_ms)
        self.attempts.append(Attempt(ratio=ratio, narrowed=narrowed, achieved=achieved, error=error, interval=interval))
        indistinct = interval[0] <= self.target.value <= interval[1] and abs(error) <= INDISTINCT
        self.within = self.target.contains(achieved) or indistinct
        if abs(error) < self._best[0] or self.within:
            self._best = (abs(error), widths, achieved)
        return achieved / self.target.value


def _next_to(tried: list[tuple[float, float]], lowest: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Of pairs of a ratio and a load: the lowest ratio with a load of at most 1, and the highest with more."""
    below = min((pair for pair in tried if pair[1] <= 1), default=(1.0, 0.0))
    return below, max((pair for pair in tried if pair[1] > 1), default=(lowest, 0.0))


def _next_ratio(tried: list[tuple[float, float]], lowest: float) -> float:
    """Where the load should be 1, judging by pairs of a ratio and the load measured there.

    Between two neighbours on either side of it that is interpolated, and halved where all fall on one side, as before a
    cliff. Where noise has put the sides in disorder, a line through the four that came closest forgives it.
    """
    (high, high_load), (low, low_load) = _next_to(tried, lowest)
    if not high_load:
        return 1.0 if low > 1 - NEAR_THE_END else (low + 1) / 2
    if not low_load:
        return (lowest + high) / 2
    if high - low > NUDGE:
        creeping = len({load > 1 for _, load in tried[-CREEPING:]}) == 1
        return low + (high - low) * (0.5 if creeping else (low_load - 1) / (low_load - high_load))
    closest = sorted(tried, key=lambda pair: abs(pair[1] - 1))[:4]
    mean_ratio = sum(ratio for ratio, _ in closest) / len(closest)
    mean_load = sum(load for _, load in closest) / len(closest)
    spread = sum((ratio - mean_ratio) ** 2 for ratio, _ in closest)
    slope = sum((ratio - mean_ratio) * (load - mean_load) for ratio, load in closest) / spread if spread else 0.0
    return min(1.0, max(lowest, mean_ratio + (1 - mean_load) / slope)) if slope < 0 else (low + high) / 2
