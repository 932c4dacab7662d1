"""A linear layer of which only the sum of all outputs is wanted."""

import torch
from torch import Tensor, nn


class LinearSum(nn.Module):
    """The sum over the outputs of a linear layer, scaled."""

    def __init__(self, in_features: int, out_features: int, scale: float = 0.5) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, in_features) to (batch, 1)."""
        return torch.sum(self.linear(x), dim=1, keepdim=True) * self.scale
