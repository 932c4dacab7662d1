"""Running totals of what a mask lets through, each without the element at its own place."""

import torch
from torch import Tensor, nn


class MaskedExclusiveSum(nn.Module):
    """The sum of all earlier unmasked elements of a row, for every place in it."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map (batch, length) and a boolean mask of that shape to (batch, length)."""
        kept = x * mask
        zero = torch.zeros_like(kept.select(-1, 0).unsqueeze(-1))
        return torch.cumsum(torch.cat((zero, kept.narrow(-1, 0, kept.shape[-1] - 1)), dim=-1), dim=-1)
