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
        low, high = lowest, 1.0
        low_load = self._unpruned_ms / self.target.value if lowest == 0 else None
        high_load: float | None = None
        ratio, seen = guess, []
        while len(self.attempts) < MOST_ATTEMPTS and not self.within:
            widths = self.ranking.widths(ratio)
            if widths in seen:
                break
            seen.append(widths)
            load = self._try(widths, ratio)
            if load > 1:
                low, low_load = ratio, load
            else:
                high, high_load = ratio, load
            if low_load is not None and high_load is not None and low_load > high_load:
                share = min(0.9, max(0.1, (low_load - 1) / (low_load - high_load)))
            else:
                share = 1.0 if high_load is None and high - low < NEAR_THE_END else 0.5
            ratio = low + (high - low) * share
        return self._best[1], self._best[2]

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
