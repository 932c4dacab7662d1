"""The load: how many processors a worker keeps busy, while it should and while it should not."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from netwright.harness.arms import Arm

LEAST_SECONDS = 0.08
"""The system counts processor time in steps of 10 ms: shorter stretches tell nothing."""
SLACK = 0.5


class Load:
    """Counts how many processors a worker keeps busy; of each kind of stretch the least counts.

    Threads of OpenMP may spin a moment after their work, or, where the user wants that, always.

    Args:
        arm: The worker.
        other: One that works while `arm` should not: where it gets but a part of a processor, for the machine is busy
            with other things, nobody gets more.

    Attributes:
        busy: Stretches in which the worker works.
        idle: Stretches in which nothing is asked of it.
    """

    def __init__(self, arm: Arm, other: Arm) -> None:
        self._arm = arm
        self._other = other
        self.busy: list[float] = []
        self.idle: list[float] = []

    @contextmanager
    def while_busy(self) -> Iterator[None]:
        """Count the block, in which the worker works, unless it is too short to tell."""
        with _counted(self._arm) as used:
            yield
        self.busy += used

    @contextmanager
    def while_idle(self) -> Iterator[None]:
        """Count the block, in which only the other works, unless it is too short to tell."""
        with _counted(self._arm) as used, _counted(self._other) as had:
            yield
        self.idle += [share / min(1.0, part) for share, part in zip(used, had, strict=False) if part]

    def complaint(self, threads: int) -> str | None:
        """What is wrong, if `threads` are allowed."""
        if min(self.busy, default=0) > threads + SLACK:
            return f"it keeps {min(self.busy):.1f} processors busy, and {threads} threads were asked for"
        spins = os.environ.get("OMP_WAIT_POLICY", "").upper() == "ACTIVE"
        if min(self.idle, default=0) > SLACK and not spins:
            return f"it keeps {min(self.idle):.1f} processors busy while nothing is asked of it"
        return None


@contextmanager
def _counted(arm: Arm) -> Iterator[list[float]]:
    """A list that holds, after the block, how many processors `arm` kept busy in it; empty if that is not known."""
    found: list[float] = []
    before, started = arm.processor_seconds(), time.perf_counter()
    yield found
    after, seconds = arm.processor_seconds(), time.perf_counter() - started
    if before is not None and after is not None and seconds >= LEAST_SECONDS:
        found.append((after - before) / seconds)
