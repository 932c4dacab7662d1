"""A residual branch bound by memory: layer normalisation, GELU, a scale per feature, and the input added back."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ScaledBranch(nn.Module):
    """x + scale * gelu(layer_norm(x))."""

    def __init__(self, features: int, scale: float = 0.1) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(features)
        self.scale = nn.Parameter(torch.full((features,), scale))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, length, features) to the same shape."""
        return x + self.scale * F.gelu(self.norm(x))
