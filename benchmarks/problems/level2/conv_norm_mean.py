"""Convolution, group normalisation, the mean of each channel."""

import torch
from torch import nn

BATCH = 8
IN_CHANNELS = 16
OUT_CHANNELS = 64
SIDE = 56


class Model(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm = nn.GroupNorm(8, out_channels)

    def forward(self, x):
        return self.norm(self.conv(x)).mean(dim=(2, 3))


def get_inputs():
    return [torch.randn(BATCH, IN_CHANNELS, SIDE, SIDE)]


def get_init_inputs():
    return [IN_CHANNELS, OUT_CHANNELS]
