"""The worker's clock, wound before any candidate is imported."""

import gc
import statistics
import time
from collections.abc import Callable

import torch

SAMPLES_OF_NOTHING = 20


class Clock:
    """Measures how long calls take, with functions that it took hold of when it was made.

    On a GPU a sample is the greater of what CUDA events and the wall clock say (less what timing nothing takes): events
    leave out the host's own overhead, and the wall clock, read after the whole device is idle, includes work that a
    call left on other streams.
    """

    def __init__(self) -> None:
        self._now = time.perf_counter_ns
        self._worked = time.process_time_ns
        self.sleep = time.sleep
        self._synchronize = torch.cuda.synchronize
        self._event = torch.cuda.Event
        self._record: Callable[[torch.cuda.Event], None] = torch.cuda.Event.record
        self._elapsed: Callable[[torch.cuda.Event, torch.cuda.Event], float] = torch.cuda.Event.elapsed_time
        self._enable_gc, self._disable_gc = gc.enable, gc.disable
        self._device: torch.device | None = None
        self._overhead_ms = 0.0

    def bind(self, device: torch.device) -> None:
        """Measure calls that run on `device` from now on."""
        self._device = device
        if device.type == "cuda":
            self._overhead_ms = statistics.median(self._time_on_gpu(_nothing, 1)[1] for _ in range(SAMPLES_OF_NOTHING))

    def seconds(self) -> float:
        """Seconds since some moment in the past."""
        return self._now() / 1e9

    def processor_ms(self) -> float:
        """Milliseconds for which this process's threads had processors, together."""
        return self._worked() / 1e6

    def synchronize(self) -> None:
        """Wait until the device is idle."""
        if self._device is not None and self._device.type == "cuda":
            self._synchronize(self._device)

    def time(self, call: Callable[[], object], count: int = 1) -> tuple[float, object]:
        """The latency of `call` in ms, averaged over `count` calls back to back, and what the last one returned."""
        self._disable_gc()
        try:
            if self._device is not None and self._device.type == "cuda":
                event_ms, wall_ms, output = self._time_on_gpu(call, count)
                return max(event_ms, wall_ms - self._overhead_ms) / count, output
            output = None
            started = self._now()
            for _ in range(count):
                output = call()
            return (self._now() - started) / 1e6 / count, output
        finally:
            self._enable_gc()

    def _time_on_gpu(self, call: Callable[[], object], count: int) -> tuple[float, float, object]:
        start, end = (self._event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        output = None
        self._synchronize(self._device)
        started = self._now()
        self._record(start)
        for _ in range(count):
            output = call()
        self._record(end)
        self._synchronize(self._device)
        wall_ms = (self._now() - started) / 1e6
        return self._elapsed(start, end), wall_ms, output


def _nothing() -> None:
    return
