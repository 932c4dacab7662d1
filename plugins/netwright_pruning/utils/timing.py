"""Where the time goes: named timers that nest and repeat, and a summary that names the bottleneck."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from netwright.console import console as default_console
from netwright.errors import UserError, unknown_name
from netwright.formatting import format_duration
from netwright.render import FittedTable
from netwright.result import Record, TableBlock

ROOT = ""


class Timing(Record):
    """All runs of one timer."""

    name: str
    parent: str
    """The timer inside which it first ran; "" for none."""
    calls: int
    seconds: float
    """Of all calls together."""
    slowest: float
    """Seconds of the slowest call."""
    own_seconds: float
    """Without the timers inside it: what the bottleneck is judged by."""


class TimingProfiler:
    """Times named operations.

    Args:
        console: Where `get_summary` prints.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or default_console
        self._running: dict[str, float] = {}
        self._durations: dict[str, list[float]] = {}
        self._parents: dict[str, str] = {}

    @contextmanager
    def timer(self, name: str) -> Iterator[None]:
        """Time the block, whether it ends well or not; raises as `start_timer`."""
        self.start_timer(name)
        try:
            yield
        finally:
            self.end_timer(name)

    def start_timer(self, name: str) -> None:
        """Start the timer of that name.

        Raises:
            UserError: It is running.
        """
        if name in self._running:
            raise UserError(f"timer '{name}' is running", remedy=f"end it first: end_timer('{name}')")
        self._parents.setdefault(name, next(reversed(self._running), ROOT))
        self._running[name] = time.perf_counter()

    def end_timer(self, name: str) -> float:
        """Stop the timer of that name.

        Returns:
            Seconds since it was started.

        Raises:
            UserError: It is not running; the nearest that is, is shown.
        """
        if name not in self._running:
            raise unknown_name("running timer", name, self._running)
        elapsed = time.perf_counter() - self._running.pop(name)
        self._durations.setdefault(name, []).append(elapsed)
        return elapsed

    def timings(self) -> list[Timing]:
        """What was timed to its end, in the order of the first ends."""
        totals = {name: sum(durations) for name, durations in self._durations.items()}
        inner = dict.fromkeys(totals, 0.0)
        for name, seconds in totals.items():
            if self._parents[name] in inner:
                inner[self._parents[name]] += seconds
        return [
            Timing(
                name=name,
                parent=self._parents[name],
                calls=len(durations),
                seconds=totals[name],
                slowest=max(durations),
                own_seconds=max(0.0, totals[name] - inner[name]),
            )
            for name, durations in self._durations.items()
        ]

    def get_summary(self) -> dict[str, dict[str, float]]:
        """Print a table of all timers, slowest first, with the bottleneck: the timer with the most time of its own.

        Returns:
            Per timer, `calls`, `total_seconds`, `own_seconds`, `mean_seconds` and `share` of all time.
        """
        timings = sorted(self.timings(), key=lambda timing: -timing.own_seconds)
        everything = sum(timing.own_seconds for timing in timings)
        if not timings:
            self._console.print("nothing was timed", highlight=False)
            return {}
        self._console.print(FittedTable(_table(timings, everything)))
        slowest = timings[0]
        share = slowest.own_seconds / everything if everything else 0.0
        self._console.print(f"bottleneck: {slowest.name}, {share:.0%} of the time", highlight=False, markup=False)
        return {
            timing.name: {
                "calls": timing.calls,
                "total_seconds": timing.seconds,
                "own_seconds": timing.own_seconds,
                "mean_seconds": timing.seconds / timing.calls,
                "share": timing.own_seconds / everything if everything else 0.0,
            }
            for timing in timings
        }


def _table(timings: list[Timing], everything: float) -> TableBlock:
    return TableBlock(
        title="Timing",
        columns=["operation", "calls", "total", "own", "mean", "slowest", "share"],
        rows=[
            [
                timing.name,
                str(timing.calls),
                _shown(timing.seconds),
                _shown(timing.own_seconds),
                _shown(timing.seconds / timing.calls),
                _shown(timing.slowest),
                f"{timing.own_seconds / everything:.0%}" if everything else "-",
            ]
            for timing in timings
        ],
    )


def _shown(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms" if seconds < 1 else format_duration(seconds)
