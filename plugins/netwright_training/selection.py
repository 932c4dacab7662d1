"""What the validation split decides: the best epoch, when to stop, when a plateau lowers the learning rate."""

from typing import Any

from netwright_training.config import TrainConfig
from netwright_training.history import EpochRecord, StopReason
from netwright_training.watch import Watch, make_watch


class Selection:
    """Follows a training's epochs.

    Args:
        metrics: The metrics that are computed after each epoch.

    Raises:
        UserError: A setting names a measure that is not computed.
    """

    def __init__(self, config: TrainConfig, metrics: tuple[str, ...]) -> None:
        self.config = config
        self.best = make_watch(config.best_by, metrics, key="train.best_by")
        self.plateau = make_watch(config.best_by, metrics, key="train.best_by")
        self.plateau_fraction = 1.0
        stopping = config.early_stopping
        self.stopping = stopping and make_watch(
            stopping.metric or config.best_by,
            metrics,
            key="train.early_stopping.metric",
            mode=stopping.mode,
            min_delta=stopping.min_delta,
        )

    def take_in(self, record: EpochRecord) -> bool:
        """Follow one more epoch; True when it is the best so far."""
        if self.stopping:
            self.stopping.update(record.value(self.stopping.metric), record.epoch)
        self._follow_plateau(record)
        return self.best.update(record.value(self.best.metric), record.epoch)

    @property
    def stop_reason(self) -> StopReason:
        """Why the training ends: "finished" unless early stopping has had enough."""
        patience = self.config.early_stopping and self.config.early_stopping.patience
        stopped = patience and self.stopping and self.stopping.stale >= patience
        return "early stopping" if stopped else "finished"

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as plain values."""
        return {
            "best": self.best.state(),
            "plateau": self.plateau.state(),
            "plateau_fraction": self.plateau_fraction,
            "stopping": self.stopping.state() if self.stopping else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        self.best = Watch(**state["best"])
        self.plateau = Watch(**state["plateau"])
        self.plateau_fraction = state["plateau_fraction"]
        self.stopping = Watch(**state["stopping"]) if state["stopping"] else None

    def _follow_plateau(self, record: EpochRecord) -> None:
        scheduler = self.config.scheduler
        self.plateau.update(record.value(self.plateau.metric), record.epoch)
        if scheduler.name == "plateau" and self.plateau.stale > scheduler.patience:
            self.plateau.stale = 0
            self.plateau_fraction = max(scheduler.final_fraction, self.plateau_fraction * scheduler.factor)
