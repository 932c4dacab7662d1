"""Training and evaluation: datasets by name, a plain loop, metrics over predictions."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netwright_training.config import DatasetConfig, TrainConfig
    from netwright_training.evaluation import evaluate
    from netwright_training.history import EpochRecord, TrainResult
    from netwright_training.loading import load_dataset
    from netwright_training.loop import train
    from netwright_training.splits import Splits

_HOMES = {
    "DatasetConfig": "config",
    "EpochRecord": "history",
    "Splits": "splits",
    "TrainConfig": "config",
    "TrainResult": "history",
    "evaluate": "evaluation",
    "load_dataset": "loading",
    "train": "loop",
}

__all__ = [
    "DatasetConfig",
    "EpochRecord",
    "Splits",
    "TrainConfig",
    "TrainResult",
    "evaluate",
    "load_dataset",
    "train",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'netwright_training' has no attribute '{name}'")
    return getattr(import_module(f"netwright_training.{_HOMES[name]}"), name)
