"""Convolution with padding, the mean of each channel, a classifier."""

import torch
from torch import nn

BATCH = 16
IN_CHANNELS = 16
OUT_CHANNELS = 64
SIDE = 56
CLASSES = 10


class Model(nn.Module):
    def __init__(self, in_channels, out_channels, classes):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 5, padding=2)
        self.linear = nn.Linear(out_channels, classes)

    def forward(self, x):
        return self.linear(self.conv(x).mean(dim=[-2, -1]))


def get_inputs():
    return [torch.randn(BATCH, IN_CHANNELS, SIDE, SIDE)]


def get_init_inputs():
    return [IN_CHANNELS, OUT_CHANNELS, CLASSES]
