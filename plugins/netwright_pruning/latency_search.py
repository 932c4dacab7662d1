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
        while ratio is not None and len(self.attempts) < MOST_ATTEMPTS and not self.within:
            widths = self.ranking.widths(ratio)
            seen.append(widths)
            tried.append((ratio, self._try(widths, ratio)))
            ratio = self._unseen(_next_ratio(tried, lowest), lowest, seen)
        return self._best[1], self._best[2]

    def _unseen(self, ratio: float, lowest: float, seen: list[Widths]) -> float | None:
        """The nearest ratio whose widths were not measured yet; None where there is none in reach."""
        for step in range(NUDGES):
            for nudged in (ratio + step * NUDGE, ratio - step * NUDGE):
                if lowest <= nudged <= 1 and self.ranking.widths(nudged) not in seen:
                    return nudged
        return None

    def _try(self, widths: Widths, ratio: float) -> float:
        """How much of the target the widths take."""
        reading = self._measure(widths)
        achieved = reading.ratio * self._unpruned_ms
        error = self.target.error(achieved)
        interval = (reading.low * self._unpruned_ms, reading.high * self._unpruned_ms)
        self.attempts.append(Attempt(ratio=ratio, achieved=achieved, error=error, interval=interval))
        indistinct = interval[0] <= self.target.value <= interval[1] and abs(error) <= INDISTINCT
        self.within = self.target.contains(achieved) or indistinct
        if abs(error) < self._best[0] or self.within:
            self._best = (abs(error), widths, achieved)
        return achieved / self.target.value


def _next_ratio(tried: list[tuple[float, float]], lowest: float) -> float:
    """Where the load should be 1, judging by pairs of a ratio and the load measured there.

    Between two neighbours on either side of it that is interpolated, and halved where all fall on one side, as before a
    cliff. Where noise has put the sides in disorder, a line through the four that came closest forgives it.
    """
    above = [pair for pair in tried if pair[1] > 1]
    below = [pair for pair in tried if pair[1] <= 1]
    low, low_load = max(above, default=(lowest, 0.0))
    high, high_load = min(below, default=(1.0, 0.0))
    if not below:
        return 1.0 if low > 1 - NEAR_THE_END else (low + 1) / 2
    if not above:
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
