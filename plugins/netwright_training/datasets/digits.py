"""Handwritten digits: 1,797 real images of 8 x 8 pixels that scikit-learn ships."""

import torch

from netwright_training.config import DatasetConfig
from netwright_training.datasets.tensors import split_tensors
from netwright_training.splits import Splits


def load_digits(config: DatasetConfig, seed: int) -> Splits:
    """Inputs of shape (1, 8, 8) in [0, 1], ten classes, split by the seed with equal shares of each class."""
    from sklearn import datasets

    bunch = datasets.load_digits()
    images = torch.from_numpy(bunch.images).float().div(16).unsqueeze(1)
    targets = torch.from_numpy(bunch.target).long()
    classes = tuple(str(name) for name in bunch.target_names)
    return split_tensors(
        images, targets, config, seed, task="classification", num_classes=len(classes), classes=classes
    )
