"""CIFAR-10: 60,000 colour photographs of 32 x 32 pixels, in pickled batches."""

import torch
from torch import Tensor
from torchvision.datasets import CIFAR10

from netwright_training.config import DatasetConfig
from netwright_training.datasets.torchvision_files import PublishedImages, load_published
from netwright_training.splits import Splits


def load_cifar10(config: DatasetConfig, seed: int) -> Splits:
    """Inputs of shape (3, 32, 32) from `root/cifar-10-batches-py/`.

    The batches are pickles, which may run any code when they are read: torchvision reads only files with the
    checksums of the published ones, and so does this.

    Raises:
        UserError: The files are absent or not the published ones, or cannot be downloaded.
    """
    names = [*(name for name, _ in CIFAR10.train_list + CIFAR10.test_list), CIFAR10.meta["filename"]]
    published = PublishedImages(
        dataset_class=CIFAR10,
        files=[f"{CIFAR10.base_folder}/{name}" for name in names],
        to_bytes=_to_bytes,
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.2470, 0.2435, 0.2616),
    )
    return load_published(config, seed, published)


def _to_bytes(dataset: CIFAR10) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(dataset.data).permute(0, 3, 1, 2), torch.tensor(dataset.targets)
