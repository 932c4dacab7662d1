"""Small models for the pruning tests, each with its inputs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from netwright.cases import Inputs


class Residual(nn.Module):
    """A stem, two residual blocks with batch normalisation, a depthwise convolution, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(32)
        self.inner1 = nn.Conv2d(32, 48, 3, padding=1)
        self.outer1 = nn.Conv2d(48, 32, 3, padding=1)
        self.inner2 = nn.Conv2d(32, 48, 3, padding=1)
        self.outer2 = nn.Conv2d(48, 32, 3, padding=1)
        self.depthwise = nn.Conv2d(32, 32, 3, padding=1, groups=32)
        self.norm = nn.BatchNorm2d(32)
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem_norm(self.stem(x)))
        x = x + self.outer1(torch.relu(self.inner1(x)))
        x = x + self.outer2(torch.relu(self.inner2(x)))
        x = torch.relu(self.norm(self.depthwise(x)))
        outputs: Tensor = self.head(x.mean((2, 3)))
        return outputs


class FixedReshape(nn.Module):
    """Insists on a width, as attention does that splits heads by numbers of its own."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.project(x).reshape(-1, 4, 8).flatten(1)
        return outputs


class Stubborn(nn.Module):
    """Works only as long as the output of `rigid.project` keeps its 32 features; `before` and `after` are free."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.Linear(16, 32)
        self.rigid = FixedReshape(32)
        self.after = nn.Linear(32, 24)
        self.head = nn.Linear(24, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.rigid(torch.relu(self.before(x)))
        outputs: Tensor = self.head(torch.relu(self.after(x)))
        return outputs


@pytest.fixture
def residual() -> nn.Module:
    torch.manual_seed(0)
    return Residual().eval()


@pytest.fixture
def images() -> Inputs:
    return Inputs((torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0)),))


@pytest.fixture
def stubborn() -> nn.Module:
    torch.manual_seed(0)
    return Stubborn()


@pytest.fixture
def rows() -> Inputs:
    return Inputs((torch.rand(6, 16, generator=torch.Generator().manual_seed(0)),))


@pytest.fixture
def quick() -> dict[str, Any]:
    """Settings of the agent `pruner` that take as little time as they can."""
    return {
        "measure_latency": False,
        "round_to": 1,
    }


@pytest.fixture
def imagenet(tmp_path: Path) -> Path:
    """A small folder in ImageNet's layout: three classes that differ in colour, of 16 and 8 images each."""
    random = np.random.default_rng(0)
    root = tmp_path / "imagenet"
    for part, count in (("train", 16), ("val", 8)):
        for channel, synset in enumerate(("n01440764", "n01443537", "n01484850")):
            folder = root / part / synset
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 120, (40, 40, 3), dtype=np.uint8)
                pixels[..., channel] += 120
                Image.fromarray(pixels).save(folder / f"{synset}_{number}.JPEG")
    return root


@pytest.fixture
def small_cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with CIFAR-10's batches of ten images each, which torchvision takes for the published ones."""
    import hashlib
    import pickle

    from torchvision.datasets import CIFAR10

    pixels = np.random.default_rng(0).integers(0, 256, (60, 3072), dtype=np.uint8)
    files = [name for name, _ in CIFAR10.train_list + CIFAR10.test_list]
    contents: dict[str, Any] = {
        name: {"data": pixels[10 * n : 10 * n + 10], "labels": list(range(10))} for n, name in enumerate(files)
    }
    contents["batches.meta"] = {"label_names": [f"class {number}" for number in range(10)]}
    folder = tmp_path / "cifar" / CIFAR10.base_folder
    folder.mkdir(parents=True)
    checksums = {}
    for name, content in contents.items():
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
        checksums[name] = hashlib.md5((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(CIFAR10, "train_list", [[name, checksums[name]] for name in files[:5]])
    monkeypatch.setattr(CIFAR10, "test_list", [[name, checksums[name]] for name in files[5:]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": checksums["batches.meta"]})
    return folder.parent


@pytest.fixture
def checkpoint_of(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a state dict of a model of timm with drawn weights: `checkpoint_of("test_vit", ...)`."""
    import timm

    def write(model_name: str, **constants: Any) -> Path:
        torch.manual_seed(0)
        path = tmp_path / f"{model_name}.pt"
        torch.save(timm.create_model(model_name, **constants).state_dict(), path)
        return path

    return write


@pytest.fixture
def no_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    """Latency is not measured: its workers take longer than all the rest of a small pruning."""
    from netwright_pruning.latency import untimed

    monkeypatch.setattr(
        "netwright_pruning.agent.measure_latency", lambda _, trials, *__, **___: untimed(trials, "test")
    )
