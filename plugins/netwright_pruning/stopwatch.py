"""Stopwatches: the contract of whatever measures a pruned model's latency beside the unpruned one's."""

from dataclasses import dataclass
from typing import Protocol

from torch import nn


@dataclass(frozen=True)
class Reading:
    """Two models timed in one interleaved run.

    Attributes:
        unpruned_ms: Median latency of the unpruned model.
        ratio: Latency of the pruned model over the unpruned one's.
        low: The lower end of the ratio's confidence interval.
        high: Its upper end.
    """

    unpruned_ms: float
    ratio: float
    low: float
    high: float


class Stopwatch(Protocol):
    """Times a pruned model beside the unpruned one."""

    def __call__(self, model: nn.Module) -> Reading:
        """Time `model`, interleaved with the unpruned one.

        Raises:
            NetwrightError: It could not be timed.
        """
