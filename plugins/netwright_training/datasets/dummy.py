"""Random data of any shape from which something can be learnt."""

import torch

from netwright_training.config import DatasetConfig
from netwright_training.datasets.tensors import split_tensors
from netwright_training.seeds import generator
from netwright_training.splits import Splits


def load_dummy(config: DatasetConfig, seed: int) -> Splits:
    """Noise around one random prototype per class, or targets that are a random linear function of the inputs.

    Prototypes and noise are standard normal; a regression's targets have shape (1,) and a variance of about one.
    """
    random = generator(seed, "dummy")
    noise = torch.randn(config.samples, *config.input_shape, generator=random)
    if config.task == "regression":
        weights = torch.randn(noise[0].numel(), 1, generator=random)
        return split_tensors(noise, noise.flatten(1) @ weights / len(weights) ** 0.5, config, seed, task="regression")
    prototypes = torch.randn(config.num_classes, *config.input_shape, generator=random)
    targets = torch.arange(config.samples) % config.num_classes
    return split_tensors(
        prototypes[targets] + noise, targets, config, seed, task="classification", num_classes=config.num_classes
    )
