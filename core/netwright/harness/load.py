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

    Attributes:
        busy: Stretches in which the worker works.
        idle: Stretches in which nothing is asked of it.
    """

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self.busy: list[float] = []
        self.idle: list[float] = []

    @contextmanager
    def counted(self, stretches: list[float]) -> Iterator[None]:
        """Add the block to `stretches`, unless it is too short to tell."""
        before, started = self._arm.processor_seconds(), time.perf_counter()
        yield
        after, seconds = self._arm.processor_seconds(), time.perf_counter() - started
        if before is not None and after is not None and seconds >= LEAST_SECONDS:
            stretches.append((after - before) / seconds)

    def complaint(self, threads: int) -> str | None:
        """What is wrong, if `threads` are allowed."""
        if min(self.busy, default=0) > threads + SLACK:
            return f"it keeps {min(self.busy):.1f} processors busy, and {threads} threads were asked for"
        spins = os.environ.get("OMP_WAIT_POLICY", "").upper() == "ACTIVE"
        if min(self.idle, default=0) > SLACK and not spins:
            return f"it keeps {min(self.idle):.1f} processors busy while nothing is asked of it"
        return None
