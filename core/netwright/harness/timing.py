"""Timing: how to time, and what came out."""

from pydantic import Field

from netwright.config import Config
from netwright.harness.protocol import Cache
from netwright.harness.statistics import Ratio, ratio_of_medians
from netwright.result import Record


class TimingConfig(Config):
    """How long and in what state to time."""

    cache: Cache = "cold"
    """"cold" evicts the processor's caches before every call; "warm" times calls back to back."""
    min_rounds: int = Field(default=10, ge=2)
    """Rounds that every arm runs at least, whatever the time budget."""
    max_rounds: int = Field(default=200, ge=2)
    """Rounds after which timing ends even if time is left."""
    max_seconds: float = Field(default=3.0, gt=0)
    """Time budget per arm for timed calls and cache eviction; start, compilation and warm-up are not part of it."""
    margin: float = Field(default=0.0, ge=0, lt=1)
    """Relative margin of error: timing ends before its budget, but not before half of it, once the confidence interval
    of every arm's median reaches no farther than that; 0 uses up the budget."""
    warm_up_seconds: float = Field(default=1.0, ge=0)
    """Longest warm-up per arm after its first call; it ends earlier when the calls' times are stable."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads of torch in every arm; null takes as many as the process may use."""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Coverage of the confidence intervals."""
    compile_timeout_s: float = Field(default=600.0, gt=0)
    """Longest wait for a variant to be loaded and to answer its first call, which compiles it."""
    call_timeout_s: float = Field(default=120.0, gt=0)
    """Longest wait for any later answer, beyond the time that was asked for."""


DEFAULT_TIMING = TimingConfig()


class Timing(Record):
    """One arm's latency per call."""

    label: str
    times_ms: tuple[float, ...] = ()
    """Per round, the median latency of its calls; rounds of arms timed together belong together by position."""
    median_ms: float | None = None
    ci_ms: tuple[float, float] | None = None
    """Bootstrap confidence interval of the median."""
    confidence: float = 0.95
    calls: int = 0
    """Timed calls, all rounds together."""
    cache: Cache = "cold"
    device: str = "cpu"
    threads: int = 0
    precision: dict[str, str] = {}
    """Torch's precision flags during the calls, equal in all arms."""
    batch_size: int = 1
    """Samples per call: the length of the first input tensor's first dimension."""
    first_call_s: float | None = None
    """Wall time of loading the variant and of its first call, where compilers compile."""
    peak_memory_bytes: int | None = None
    """Weights and inputs plus the most that one call allocates on top of them."""
    memory_not_measured: str | None = None
    not_measured: str | None = None
    """Why there are no times."""

    @property
    def throughput(self) -> float | None:
        """Samples per second; None when there are no times."""
        return self.batch_size / self.median_ms * 1e3 if self.median_ms else None


def speedup(slow: Timing, fast: Timing) -> Ratio | None:
    """How many times faster `fast` is than `slow`: the ratio of their medians; None when one was not measured."""
    if not slow.times_ms or not fast.times_ms:
        return None
    return ratio_of_medians(slow.times_ms, fast.times_ms, confidence=slow.confidence)
