"""A transposed convolution of whose output only the mean of every channel is kept."""

import torch
from torch import Tensor, nn


class UpsampledMean(nn.Module):
    """Transposed convolution, scaling, mean over all positions, and the log of a sum of exponentials over channels."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 4, stride: int = 2) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, out_channels, kernel_size, stride=stride, padding=1)
        self.bias = nn.Parameter(torch.randn(out_channels, 1, 1) * 0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, in_channels, height, width) to (batch, 1)."""
        means = (self.up(x) * 2.0).mean(dim=(2, 3), keepdim=True) + self.bias
        return torch.logsumexp(means, dim=1, keepdim=True).flatten(1)
