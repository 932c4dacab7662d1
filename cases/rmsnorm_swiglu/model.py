"""The feed-forward half of a Llama layer: RMS normalisation, a gated MLP, and the input added back."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FeedForward(nn.Module):
    """x + down(silu(gate(norm(x))) * up(norm(x)))."""

    def __init__(self, hidden: int, intermediate: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(hidden))
        self.gate = nn.Linear(hidden, intermediate, bias=False)
        self.up = nn.Linear(hidden, intermediate, bias=False)
        self.down = nn.Linear(intermediate, hidden, bias=False)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, length, hidden) to the same shape."""
        normal = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.scale
        return x + self.down(F.silu(self.gate(normal)) * self.up(normal))
