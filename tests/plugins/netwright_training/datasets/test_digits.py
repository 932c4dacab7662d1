"""The digits are scikit-learn's, split by the seed."""

from typing import cast

import torch
from sklearn.datasets import load_digits
from torch.utils.data import TensorDataset

from netwright_training import Splits, load_dataset


def tensors(splits: Splits) -> list[tuple[torch.Tensor, ...]]:
    return [cast("TensorDataset", split).tensors for split in (splits.train, splits.validation, splits.test)]


def test_all_images_are_there_once_and_scaled() -> None:
    splits = load_dataset({}, seed=0)
    images = torch.cat([inputs for inputs, _ in tensors(splits)])
    assert (splits.name, splits.num_classes, splits.input_shape) == ("digits", 10, (1, 8, 8))
    assert images.shape == (1797, 1, 8, 8)
    assert sorted(images.flatten(1).tolist()) == sorted((load_digits().data / 16).tolist())
    assert [len(inputs) for inputs, _ in tensors(splits)] == [1258, 180, 359]


def test_images_keep_their_labels() -> None:
    known = {tuple(image): label for image, label in zip(load_digits().data / 16, load_digits().target, strict=True)}
    for inputs, targets in tensors(load_dataset({}, seed=3)):
        assert [known[tuple(image)] for image in inputs.flatten(1).tolist()] == targets.tolist()


def test_equal_seeds_split_equally() -> None:
    first, again, other = (tensors(load_dataset({}, seed=seed))[2][0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_fractions_are_heeded() -> None:
    splits = load_dataset({"validation_fraction": 0.25, "test_fraction": 0.5}, seed=0)
    assert [len(inputs) for inputs, _ in tensors(splits)] == [450, 449, 898]
