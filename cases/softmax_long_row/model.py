"""A softmax over rows that are longer than what a processor keeps at hand."""

import torch
from torch import Tensor, nn


class ScaledSoftmax(nn.Module):
    """softmax(x / temperature) over the last dimension, with a learned temperature."""

    def __init__(self, temperature: float = 0.7) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.tensor(temperature))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, length) to the same shape; every row sums to one."""
        return torch.softmax(x / self.temperature, dim=-1)
