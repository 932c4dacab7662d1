"""Transposed convolution, the mean over the image, a linear layer."""

import torch
from torch import nn

BATCH = 8
IN_CHANNELS = 32
OUT_CHANNELS = 48
SIDE = 40
CLASSES = 10


class Model(nn.Module):
    def __init__(self, in_channels, out_channels, classes):
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2)
        self.linear = nn.Linear(out_channels, classes)

    def forward(self, x):
        return self.linear(self.up(x).mean(dim=(2, 3)))


def get_inputs():
    return [torch.randn(BATCH, IN_CHANNELS, SIDE, SIDE)]


def get_init_inputs():
    return [IN_CHANNELS, OUT_CHANNELS, CLASSES]
