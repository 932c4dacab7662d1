"""Watching one number for improvement: best weights, early stopping and the plateau scheduler all do."""

import math
from dataclasses import asdict, dataclass
from typing import Literal

from netwright.errors import unknown_name
from netwright.registry import registry

Mode = Literal["min", "max"]


@dataclass
class Watch:
    """The best value so far of one measure on the validation split.

    Attributes:
        metric: "loss", or a metric's name.
        mode: Whether lower or higher is better.
        min_delta: How much better counts as an improvement.
        best: The best value; None before the first.
        epoch: When it was reached.
        stale: Epochs since, or since `stale` was last set to 0.
    """

    metric: str
    mode: Mode
    min_delta: float = 0.0
    best: float | None = None
    epoch: int | None = None
    stale: int = 0

    def update(self, value: float, epoch: int) -> bool:
        """Take in an epoch's value and say whether it is an improvement; one that is not a number never is."""
        if not self._improves(value):
            self.stale += 1
            return False
        self.best, self.epoch, self.stale = value, epoch, 0
        return True

    def state(self) -> dict[str, float | int | str | None]:
        """Everything, as plain values."""
        return asdict(self)

    def _improves(self, value: float) -> bool:
        if self.best is None:
            return not math.isnan(value)
        return value < self.best - self.min_delta if self.mode == "min" else value > self.best + self.min_delta


def make_watch(
    metric: str, metrics: tuple[str, ...], *, key: str, mode: Mode | None = None, min_delta: float = 0.0
) -> Watch:
    """A watch of the validation loss or of one of the metrics that are computed.

    Args:
        key: The setting that names the metric, for the message.
        mode: None takes the metric's registered direction.

    Raises:
        UserError: The metric is not computed; the nearest that is, is shown.
    """
    if metric not in ("loss", *metrics):
        raise unknown_name(f"measure for {key}", metric, ("loss", *metrics))
    lower = metric == "loss" or registry().metric(metric).direction == "lower"
    return Watch(metric, mode or ("min" if lower else "max"), min_delta)
