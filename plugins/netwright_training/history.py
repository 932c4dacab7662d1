"""What a training leaves behind: one record per epoch, and how it ended."""

from pathlib import Path
from typing import Literal

from netwright.result import Record
from netwright_training.config import Precision

StopReason = Literal["finished", "early stopping"]


class EpochRecord(Record):
    """One epoch."""

    epoch: int
    """Counted from 1."""
    train_loss: float
    """Mean over the epoch's samples, each seen by the weights of its step; not a number when every step was skipped."""
    validation_loss: float
    """Mean over the validation split after the epoch, without label smoothing."""
    metrics: dict[str, float] = {}
    """The configured metrics on the validation split after the epoch."""
    learning_rate: float
    """In the epoch's last step."""
    seconds: float
    """Time for training and validation."""
    skipped_steps: int = 0
    """Steps without an update, because the loss or a gradient was not finite."""

    def value(self, name: str) -> float:
        """The validation loss for "loss", otherwise the metric of that name."""
        return self.validation_loss if name == "loss" else self.metrics[name]


class TrainResult(Record):
    """A whole training."""

    history: tuple[EpochRecord, ...]
    best_epoch: int | None
    """The epoch whose weights the model ends with; None when there was none to choose."""
    stop_reason: StopReason
    device: str
    """Where it ran."""
    precision: Precision
    """The mixed precision that was really used."""
    best_weights: Path | None = None
    """Weights of the best epoch (safetensors); None without a folder."""
    last_state: Path | None = None
    """Everything that a resumed training needs; None without a folder."""

    @property
    def best(self) -> EpochRecord | None:
        """The record of the best epoch."""
        return None if self.best_epoch is None else self.history[self.best_epoch - 1]

    @property
    def skipped_steps(self) -> int:
        """Steps without an update in all epochs."""
        return sum(record.skipped_steps for record in self.history)
