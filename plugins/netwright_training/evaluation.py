"""Measuring a model on a split."""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from netwright.devices import resolve_device
from netwright.errors import UserError
from netwright.registry import registry
from netwright_training.batches import Batches
from netwright_training.checks import check_outputs
from netwright_training.config import LossName
from netwright_training.losses import make_loss
from netwright_training.splits import Samples
from netwright_training.surroundings import model_device, modes_kept, on_device

PredictionMetric = Callable[[Tensor, Tensor], float]


def evaluate(
    model: nn.Module,
    dataset: Samples,
    *,
    metrics: Sequence[str] = (),
    batch_size: int = 256,
    device: str | torch.device | None = None,
    loss: LossName = "auto",
    workers: int = 0,
) -> dict[str, float]:
    """The model's mean loss under "loss", and each metric, over all samples of a split, in eval mode.

    The model is left in the modes and on the device in which it came.

    Args:
        dataset: Pairs (input, target), such as `Splits.test`; integer targets are classes, others numbers.
        metrics: Registered names of metrics over predictions.
        device: None takes the model's own.
        loss: auto takes cross-entropy for classes and the mean squared error for numbers.
        workers: Processes that load data which is not in memory.

    Raises:
        UserError: A metric is unknown or not one over predictions, there is no such device, the split is empty, or the
            targets do not fit the model's outputs.
    """
    functions = {name: prediction_metric(name) for name in metrics}
    place = model_device(model) if device is None else torch.device(resolve_device(str(device)))
    batches = Batches(dataset, batch_size, place, workers=workers)
    with on_device(model, place), modes_kept(model), torch.no_grad():
        model.eval()
        outputs, targets = _predict(model, batches)
    criterion = make_loss(loss, "regression" if targets.is_floating_point() else "classification")
    return {
        "loss": criterion(outputs, targets).item(),
        **{name: float(function(outputs, targets)) for name, function in functions.items()},
    }


def prediction_metric(name: str) -> PredictionMetric:
    """The registered function `(outputs, targets) -> float`.

    Raises:
        UserError: There is no such metric, or it is not computed from predictions.
    """
    spec = registry().metric(name)
    if spec.of != "predictions":
        raise UserError(f"metric '{name}' is not computed from predictions", why=f"it is a metric of the {spec.of}")
    return cast("PredictionMetric", registry().load("metric", name))


def _predict(model: nn.Module, batches: Batches) -> tuple[Tensor, Tensor]:
    """Outputs, in float32 at least, and targets of all samples, on the CPU."""
    outputs, targets = [], []
    for inputs, wanted in batches.in_order():
        scores = model(inputs)
        check_outputs(scores, wanted)
        outputs.append(scores)
        targets.append(wanted)
    if not outputs:
        raise UserError("there is nothing to evaluate on", why="the split is empty")
    together = torch.cat(outputs).cpu()
    return together if together.element_size() >= 4 else together.float(), torch.cat(targets).cpu()
