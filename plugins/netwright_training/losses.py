"""What training minimises."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

from netwright.errors import UserError
from netwright_training.config import LossName, Task

Loss = Callable[[Tensor, Tensor], Tensor]


def make_loss(name: LossName, task: Task, label_smoothing: float = 0.0) -> Loss:
    """A function `(outputs, targets)` that gives the mean loss of a batch as a scalar tensor, in float32 at least.

    Raises:
        UserError: The loss does not fit the task, or takes no label smoothing.
    """
    chosen = ("cross_entropy" if task == "classification" else "mse") if name == "auto" else name
    if (chosen == "cross_entropy") != (task == "classification"):
        fitting = "cross_entropy" if task == "classification" else "mse or l1"
        raise UserError(f"loss '{name}' does not fit {task}", remedy=f"set train.loss to {fitting}, or auto")
    if chosen == "cross_entropy":
        return lambda outputs, targets: F.cross_entropy(_wide(outputs), targets, label_smoothing=label_smoothing)
    if label_smoothing:
        raise UserError("train.label_smoothing does not fit regression", remedy="leave it out")
    distance = F.mse_loss if chosen == "mse" else F.l1_loss
    return lambda outputs, targets: distance(_wide(outputs), targets.to(_wide(outputs).dtype))


def _wide(values: Tensor) -> Tensor:
    return values if values.element_size() >= 4 else values.float()
