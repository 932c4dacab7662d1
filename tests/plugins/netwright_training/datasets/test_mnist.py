"""MNIST's own idx files are read; absent and damaged ones are named."""

import gzip
import struct
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset
from torchvision.datasets import MNIST

from netwright.errors import UserError
from netwright_training import Splits, load_dataset

IMAGES = np.random.default_rng(0).integers(0, 256, (60, 28, 28), dtype=np.uint8)
LABELS = (np.arange(60) % 10).astype(np.uint8)


def idx(values: np.ndarray) -> bytes:
    """The idx format: two zero bytes, the type (8 is ubyte), the number of dimensions, big-endian sizes, bytes."""
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


def write(root: Path, labels: np.ndarray = LABELS) -> Path:
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, first, last in (("train", 0, 40), ("t10k", 40, 60)):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(IMAGES[first:last]))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels[first:last]))
    return raw


def load(root: Path, **values: object) -> Splits:
    return load_dataset({"name": "mnist", "root": root, **values}, seed=0)


def test_images_and_labels_are_those_of_the_files(tmp_path: Path) -> None:
    write(tmp_path)
    splits = load(tmp_path, validation_fraction=0.25)
    images, labels = cast("TensorDataset", splits.test).tensors
    assert torch.allclose(images[:, 0] * 0.3081 + 0.1307, torch.from_numpy(IMAGES[40:]) / 255, atol=1e-6)
    assert labels.tolist() == LABELS[40:].tolist()
    lengths = [len(cast("TensorDataset", split)) for split in (splits.train, splits.validation)]
    assert (lengths, splits.input_shape, splits.num_classes) == ([30, 10], (1, 28, 28), 10)


def test_the_cache_is_looked_into_without_a_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETWRIGHT_CACHE", str(tmp_path))
    write(tmp_path / "datasets")
    assert load_dataset({"name": "mnist"}, seed=0).name == "mnist"


def test_absent_files_are_listed_with_both_remedies(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"dataset 'mnist' is not under .*; it should hold MNIST/raw/train-images"
    ) as caught:
        load(tmp_path)
    assert "set data.root to the folder that does, or data.download=true" in str(caught.value)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A web server on this machine: the folder that it serves, and its address."""
    folder = tmp_path / "server"
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        thread = threading.Thread(target=web.serve_forever, daemon=True)
        thread.start()
        yield folder, f"http://127.0.0.1:{web.server_port}"
        web.shutdown()
        thread.join()


def test_a_download_brings_the_files(tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, address = server
    for file in list(write(folder).iterdir()):
        Path(f"{file}.gz").write_bytes(gzip.compress(file.read_bytes()))
    monkeypatch.setattr(MNIST, "mirrors", [f"{address}/MNIST/raw/"])
    monkeypatch.setattr(MNIST, "resources", [(name, None) for name, _ in MNIST.resources])
    splits = load(tmp_path / "here", download=True)
    assert len(cast("TensorDataset", splits.test)) == 20


def test_a_failed_download_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", fail)
    with pytest.raises(UserError, match=r"cannot download dataset 'mnist'; .*; bring MNIST/raw/"):
        load(tmp_path, download=True)


@pytest.mark.parametrize("content", [b"", idx(IMAGES[:40])[:-1], idx(LABELS[:40]), idx(IMAGES[:39])])
def test_damaged_images_are_refused(tmp_path: Path, content: bytes) -> None:
    (write(tmp_path) / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(UserError, match=r"the files of dataset 'mnist' under .* are damaged"):
        load(tmp_path)


def test_labels_out_of_range_are_refused(tmp_path: Path) -> None:
    write(tmp_path, labels=LABELS + 1)
    with pytest.raises(UserError, match="damaged; a label is 10, but there are 10 classes"):
        load(tmp_path)
