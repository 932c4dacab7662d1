"""A whole layer of a transformer with pre-normalisation, from input to output."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class TransformerBlock(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, hidden: int, heads: int, expansion: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(hidden)
        self.query = nn.Linear(hidden, hidden)
        self.key = nn.Linear(hidden, hidden)
        self.value = nn.Linear(hidden, hidden)
        self.output = nn.Linear(hidden, hidden)
        self.norm2 = nn.LayerNorm(hidden)
        self.up = nn.Linear(hidden, expansion * hidden)
        self.down = nn.Linear(expansion * hidden, hidden)

    def split(self, x: Tensor) -> Tensor:
        """(batch, length, hidden) to (batch, heads, length, hidden / heads)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, length, hidden) to the same shape."""
        normal = self.norm1(x)
        query, key, value = self.split(self.query(normal)), self.split(self.key(normal)), self.split(self.value(normal))
        scores = torch.matmul(query, key.transpose(-2, -1)) * query.shape[-1] ** -0.5
        mixed = torch.matmul(torch.softmax(scores, dim=-1), value)
        x = x + self.output(mixed.transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.norm2(x))))
