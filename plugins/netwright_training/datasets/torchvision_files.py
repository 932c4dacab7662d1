"""Datasets that torchvision reads from their published files: finding, downloading and checking those files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.data import TensorDataset

from netwright.errors import UserError
from netwright.files import cache_folder
from netwright_training.config import DatasetConfig
from netwright_training.datasets.tensors import images_to_float
from netwright_training.splits import Splits, split_indices, take


@dataclass(frozen=True)
class PublishedImages:
    """Images that come as a training and a test part.

    Attributes:
        dataset_class: Torchvision's dataset: `(root, train, download) -> dataset` with classes.
        files: What must be under the root, relative to it.
        to_bytes: The dataset's images as uint8 of shape (n, channels, height, width), and its labels of shape (n,).
        mean: Of the training images' channels, scaled to [0, 1].
        std: Likewise, the standard deviations.
    """

    dataset_class: Callable[..., Any]
    files: Sequence[str]
    to_bytes: Callable[[Any], tuple[Tensor, Tensor]]
    mean: tuple[float, ...]
    std: tuple[float, ...]


def load_published(config: DatasetConfig, seed: int, published: PublishedImages) -> Splits:
    """Standardised float32 images in memory; the published test part is the test split.

    Raises:
        UserError: The files are absent or damaged, or cannot be downloaded.
    """
    root = config.root or cache_folder("datasets")
    if not all((root / file).is_file() for file in published.files):
        _fetch(config, root, published)
    try:
        parts = [published.dataset_class(root, train=train, download=False) for train in (True, False)]
        (images, labels), (test_images, test_labels) = map(published.to_bytes, parts)
        _check_labels(labels, images, len(parts[0].classes))
        _check_labels(test_labels, test_images, len(parts[1].classes))
    except (RuntimeError, AssertionError, ValueError, TypeError, LookupError, EOFError) as error:
        raise UserError(
            f"the files of dataset '{config.name}' under {root} are damaged",
            why=" ".join(str(error).split()).lower() or "they are not in the published format",
            remedy="remove them and set data.download=true",
        ) from error
    everything = TensorDataset(images_to_float(images, published.mean, published.std), labels)
    validation, train = split_indices(labels, (config.validation_fraction,), seed, name=config.name)
    return Splits(
        train=take(everything, train),
        validation=take(everything, validation),
        test=TensorDataset(images_to_float(test_images, published.mean, published.std), test_labels),
        num_classes=len(parts[0].classes),
        input_shape=tuple(images.shape[1:]),
        task="classification",
        name=config.name,
        classes=tuple(parts[0].classes),
    )


def _fetch(config: DatasetConfig, root: Path, published: PublishedImages) -> None:
    if not config.download:
        raise UserError(
            f"dataset '{config.name}' is not under {root}",
            why=f"it should hold {', '.join(published.files)}",
            remedy="set data.root to the folder that does, or data.download=true",
        )
    try:
        published.dataset_class(root, train=True, download=True)
    except (OSError, RuntimeError) as error:  # URLError is an OSError
        raise UserError(
            f"cannot download dataset '{config.name}'",
            why=" ".join(str(error).split()).lower(),
            remedy=f"bring {', '.join(published.files)} to {root} by other means",
        ) from error


def _check_labels(labels: Tensor, images: Tensor, num_classes: int) -> None:
    if len(labels) != len(images):
        raise ValueError(f"{len(images)} images, but {len(labels)} labels")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
        raise ValueError(f"a label is {int(labels.max())}, but there are {num_classes} classes")
