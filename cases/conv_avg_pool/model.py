"""A convolution whose output is averaged over small windows, and summed up in the end."""

import torch
from torch import Tensor, nn


class ConvAvgPool(nn.Module):
    """Convolution, average pooling, sigmoid, and the sum over channels and positions."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3, pool: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size)
        self.pool = nn.AvgPool2d(pool)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, in_channels, height, width) to (batch,)."""
        return torch.sigmoid(self.pool(self.conv(x))).sum(dim=(1, 2, 3))
