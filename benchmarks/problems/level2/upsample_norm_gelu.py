"""Transposed convolution, group normalisation, GELU."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH = 4
IN_CHANNELS = 48
OUT_CHANNELS = 32
SIDE = 40


class Model(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, out_channels, 4, stride=2, padding=1)
        self.norm = nn.GroupNorm(4, out_channels)

    def forward(self, x):
        return F.gelu(self.norm(self.up(x)))


def get_inputs():
    return [torch.randn(BATCH, IN_CHANNELS, SIDE, SIDE)]


def get_init_inputs():
    return [IN_CHANNELS, OUT_CHANNELS]
