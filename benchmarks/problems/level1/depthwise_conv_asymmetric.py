"""A depthwise convolution with an oblong kernel."""

import torch
from torch import nn

BATCH = 8
CHANNELS = 64
HEIGHT = 64
WIDTH = 96
KERNEL_HEIGHT = 3
KERNEL_WIDTH = 7


class Model(nn.Module):
    def __init__(self, channels, kernel_height, kernel_width):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, (kernel_height, kernel_width), groups=channels, bias=False)

    def forward(self, x):
        return self.conv(x)


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs():
    return [CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH]
