"""A volume convolution with few channels, and what video models do after it."""

import torch
from torch import Tensor, nn


class VolumeStem(nn.Module):
    """3-D convolution, hard swish, softmax over channels, and the mean over the volume."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv3d(in_channels, out_channels, kernel_size)
        self.activation = nn.Hardswish()

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, in_channels, depth, height, width) to (batch, out_channels)."""
        return torch.softmax(self.activation(self.conv(x)), dim=1).mean(dim=(2, 3, 4))
