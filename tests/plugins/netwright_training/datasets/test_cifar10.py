"""CIFAR-10's own batches are read, but only those that have the published checksums."""

import hashlib
import pickle
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset
from torchvision.datasets import CIFAR10

from netwright.errors import UserError
from netwright_training import Splits, load_dataset

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
PIXELS = np.random.default_rng(0).integers(0, 256, (60, 3072), dtype=np.uint8)


def write(root: Path) -> dict[str, str]:
    """Six batches of ten images and the names, as the published archive has them; returns their checksums."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    contents: dict[str, object] = {
        name: {"data": PIXELS[10 * n : 10 * n + 10], "labels": list(range(10))}
        for n, name in enumerate([*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"])
    }
    contents["batches.meta"] = {"label_names": NAMES}
    checksums = {}
    for name, content in contents.items():
        text = pickle.dumps(content, protocol=2)
        (folder / name).write_bytes(text)
        checksums[name] = hashlib.md5(text).hexdigest()
    return checksums


@pytest.fixture
def small_cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of small batches that torchvision takes for the published ones."""
    checksums = write(tmp_path)
    monkeypatch.setattr(CIFAR10, "train_list", [[name, checksums[name]] for name, _ in CIFAR10.train_list])
    monkeypatch.setattr(CIFAR10, "test_list", [[name, checksums[name]] for name, _ in CIFAR10.test_list])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": checksums["batches.meta"]})
    return tmp_path


def load(root: Path, **values: object) -> Splits:
    return load_dataset({"name": "cifar10", "root": root, **values}, seed=0)


def test_images_and_labels_are_those_of_the_batches(small_cifar: Path) -> None:
    splits = load(small_cifar)
    images, labels = cast("TensorDataset", splits.test).tensors
    mean, std = torch.tensor([0.4914, 0.4822, 0.4465]), torch.tensor([0.2470, 0.2435, 0.2616])
    pixels = images * std.view(3, 1, 1) + mean.view(3, 1, 1)
    assert torch.allclose(pixels, torch.from_numpy(PIXELS[50:]).view(10, 3, 32, 32) / 255, atol=1e-6)
    assert labels.tolist() == list(range(10))
    assert splits.classes == tuple(NAMES)
    assert [len(cast("TensorDataset", split)) for split in (splits.train, splits.validation)] == [45, 5]


def test_batches_that_are_not_the_published_ones_are_never_unpickled(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(
        UserError, match=r"the files of dataset 'cifar10' under .* are damaged; dataset not found or corr"
    ):
        load(tmp_path)


def test_absent_files_say_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"dataset 'cifar10' is not under .*; it should hold cifar-10-batches-py/data_b"
    ):
        load(tmp_path)


def test_a_failed_download_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CIFAR10, "url", (tmp_path / "nowhere.tar.gz").as_uri())
    with pytest.raises(UserError, match=r"cannot download dataset 'cifar10'; .*no such file"):
        load(tmp_path, download=True)
