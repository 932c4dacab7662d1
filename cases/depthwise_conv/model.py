"""A depthwise-separable block as in MobileNets: a filter per channel, then a mix of channels."""

from torch import Tensor, nn


class SeparableBlock(nn.Module):
    """Depthwise convolution, batch normalisation, ReLU6, pointwise convolution, batch normalisation, ReLU6."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 5) -> None:
        super().__init__()
        padding = kernel_size // 2
        self.depthwise = nn.Conv2d(
            in_channels, in_channels, kernel_size, padding=padding, groups=in_channels, bias=False
        )
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.activation = nn.ReLU6()

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, in_channels, height, width) to (batch, out_channels, height, width)."""
        x = self.activation(self.norm1(self.depthwise(x)))
        return self.activation(self.norm2(self.pointwise(x)))
