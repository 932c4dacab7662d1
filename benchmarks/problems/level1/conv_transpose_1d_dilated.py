"""A dilated transposed convolution of sequences."""

import torch
from torch import nn

BATCH = 8
IN_CHANNELS = 32
OUT_CHANNELS = 64
LENGTH = 1024
KERNEL = 5
DILATION = 3


class Model(nn.Module):
    def __init__(self, in_channels, out_channels, kernel, dilation):
        super().__init__()
        self.conv = nn.ConvTranspose1d(in_channels, out_channels, kernel, dilation=dilation)

    def forward(self, x):
        return self.conv(x)


def get_inputs():
    return [torch.randn(BATCH, IN_CHANNELS, LENGTH)]


def get_init_inputs():
    return [IN_CHANNELS, OUT_CHANNELS, KERNEL, DILATION]
