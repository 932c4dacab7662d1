"""3-D transposed convolution, the least channel, scaling."""

import torch
from torch import nn

BATCH = 2
IN_CHANNELS = 12
OUT_CHANNELS = 16
SIDE = 16


class Model(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.up = nn.ConvTranspose3d(in_channels, out_channels, 3, stride=2, padding=1)

    def forward(self, x):
        return self.up(x).amin(dim=1, keepdim=True) * 3.0


def get_inputs():
    return [torch.randn(BATCH, IN_CHANNELS, SIDE, SIDE, SIDE)]


def get_init_inputs():
    return [IN_CHANNELS, OUT_CHANNELS]
