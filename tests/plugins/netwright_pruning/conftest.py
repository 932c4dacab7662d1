"""Small models for the pruning tests, each with its inputs."""

import pytest
import torch
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
