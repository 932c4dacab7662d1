"""Models that the harness's tests judge variants of."""

import torch
from torch import Tensor, nn


class Perceptron(nn.Module):
    """A small network with batch normalisation, so that it has buffers and, in train mode, changes them."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.hidden = nn.Linear(16, width)
        self.norm = nn.BatchNorm1d(width)
        self.head = nn.Linear(width, 40)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.head(torch.relu(self.norm(self.hidden(x))))
        return output


class Widened(Perceptron):
    """The same as its base, written another way: a variant by class."""

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.norm(self.hidden(x)).clamp(min=0)
        return features @ self.head.weight.t() + self.head.bias


class Dropping(nn.Module):
    """A random module."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 64)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(self.layer(x), 0.5, self.training)


class Remembering(nn.Module):
    """It holds random tensors that no state dict knows."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("positions", torch.randn(16), persistent=False)
        self.inner = nn.Identity()
        self.inner.hidden = torch.randn(16)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.positions + self.inner.hidden


class Buffered(nn.Module):
    """It holds a mask, a scale and a count that a state dict knows, and positions that none does."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mask", torch.zeros(16).index_fill(0, torch.arange(4), -torch.inf))
        self.register_buffer("scale", torch.tensor(2.0))
        self.register_buffer("count", torch.tensor(3))
        self.register_buffer("positions", torch.randn(16), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.scale + self.mask).softmax(dim=-1) * self.count + self.positions


class Unchanged(nn.Module):
    """Returns a view of its input, and a count."""

    def forward(self, x: Tensor) -> tuple[Tensor, int]:
        return x.view(-1), x.numel()


class Nothing(nn.Module):
    """A degenerate case: its output is zero whatever goes in."""

    def forward(self, x: Tensor) -> Tensor:
        return x.softmax(1).sum(1) * 0.0


class Sum(nn.Module):
    """An output of one element."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sin().mean()


class Total(nn.Module):
    """A layer and a sum, which come down to one product."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 64)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.layer(x)
        return outputs.sum(1)


class Embedding(nn.Module):
    """A network on integer inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(11, 6)

    def forward(self, tokens: Tensor) -> Tensor:
        vectors: Tensor = self.table(tokens)
        return vectors.cumsum(1)


def get_inputs() -> list[Tensor]:
    """The inputs of all but the embedding."""
    return [torch.randn(8, 16)]
