"""Depthwise and pointwise convolution with nothing between, SiLU."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH = 8
IN_CHANNELS = 48
OUT_CHANNELS = 96
SIDE = 48


class Model(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.depthwise = nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x):
        return F.silu(self.pointwise(self.depthwise(x)))


def get_inputs():
    return [torch.randn(BATCH, IN_CHANNELS, SIDE, SIDE)]


def get_init_inputs():
    return [IN_CHANNELS, OUT_CHANNELS]
