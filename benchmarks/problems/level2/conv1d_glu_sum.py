"""Convolution of a sequence, gated linear unit, the sum over time."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH = 16
IN_CHANNELS = 32
OUT_CHANNELS = 128
LENGTH = 512


class Model(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.conv = nn.Conv1d(in_channels, out_channels, 5, padding=2)

    def forward(self, x):
        return F.glu(self.conv(x), dim=1).sum(dim=2)


def get_inputs():
    return [torch.randn(BATCH, IN_CHANNELS, LENGTH)]


def get_init_inputs():
    return [IN_CHANNELS, OUT_CHANNELS]
