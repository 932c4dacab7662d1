"""Learning curves for TensorBoard."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from netwright.context import current_run
from netwright.files import slug
from netwright_training.history import EpochRecord

Log = Callable[[EpochRecord], None]


def scalar_folder(folder: Path, step_name: str) -> Path:
    """Where the curves go: beside the other steps' in the current run's folder, under `folder` outside a run."""
    run_folder = current_run().folder
    return run_folder.tensorboard / slug(step_name) if run_folder else folder / "tensorboard"


@contextmanager
def scalar_log(folder: Path | None, *, epochs_done: int = 0) -> Iterator[Log]:
    """A function that logs an epoch; it does nothing without a folder or when TensorBoard is not installed.

    Args:
        epochs_done: Epochs of a resumed training; what an earlier process logged after them is hidden.
    """
    if folder is None or find_spec("tensorboard") is None:
        yield _log_nothing
        return
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder), purge_step=epochs_done + 1 if epochs_done else None) as writer:

        def log(record: EpochRecord) -> None:
            values = {
                "loss/train": record.train_loss,
                "loss/validation": record.validation_loss,
                "learning_rate": record.learning_rate,
                **record.metrics,
            }
            for name, value in values.items():
                writer.add_scalar(name, value, record.epoch)
            writer.flush()

        yield log


def _log_nothing(_: EpochRecord) -> None:
    """Stands in for the log where there is none."""
