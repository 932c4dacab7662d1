"""Convolution, pixel shuffle, PReLU: an upsampler."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH = 4
CHANNELS = 32
SIDE = 48


class Model(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, 4 * channels, 3, padding=1)
        self.prelu = nn.PReLU(channels)

    def forward(self, x):
        return self.prelu(F.pixel_shuffle(self.conv(x), 2))


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, SIDE, SIDE)]


def get_init_inputs():
    return [CHANNELS]
