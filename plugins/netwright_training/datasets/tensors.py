"""Splits of data that lies in memory as two tensors."""

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from netwright_training.config import DatasetConfig, Task
from netwright_training.splits import Splits, split_indices, take


def split_tensors(
    inputs: Tensor,
    targets: Tensor,
    config: DatasetConfig,
    seed: int,
    *,
    task: Task,
    num_classes: int | None = None,
    classes: tuple[str, ...] | None = None,
) -> Splits:
    """Split by the configured fractions; classes are split evenly.

    Args:
        inputs: Shape (samples, ...).
        targets: int64 of shape (samples,) for classes, float32 of shape (samples, outputs) for numbers.

    Raises:
        UserError: There are too few samples.
    """
    data = TensorDataset(inputs, targets)
    fractions = (config.validation_fraction, config.test_fraction)
    labels = targets if task == "classification" else torch.zeros(len(targets))
    validation, test, train = split_indices(labels, fractions, seed, name=config.name)
    return Splits(
        train=take(data, train),
        validation=take(data, validation),
        test=take(data, test),
        num_classes=num_classes,
        input_shape=tuple(inputs.shape[1:]),
        task=task,
        name=config.name,
        classes=classes,
    )


def images_to_float(images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Bytes of shape (n, channels, height, width) as float32, scaled to [0, 1] and then standardised per channel."""
    centre, spread = (torch.tensor(values).view(1, -1, 1, 1) for values in (mean, std))
    return images.float().div_(255).sub_(centre).div_(spread)
