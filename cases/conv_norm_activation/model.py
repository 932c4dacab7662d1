"""A convolution, group normalisation and an activation, as in U-Nets of diffusion models."""

from torch import Tensor, nn
from torch.nn import functional as F


class ConvNormActivation(nn.Module):
    """silu(group_norm(conv(x)))."""

    def __init__(self, in_channels: int, out_channels: int, groups: int = 8) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm = nn.GroupNorm(groups, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, in_channels, height, width) to (batch, out_channels, height, width)."""
        return F.silu(self.norm(self.conv(x)))
