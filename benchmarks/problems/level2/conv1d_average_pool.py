"""Convolution of a sequence, average pooling, log-softmax over channels."""

import torch
from torch import nn

BATCH = 16
IN_CHANNELS = 32
OUT_CHANNELS = 64
LENGTH = 1024


class Model(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.conv = nn.Conv1d(in_channels, out_channels, 3)
        self.pool = nn.AvgPool1d(6, stride=3)

    def forward(self, x):
        return torch.log_softmax(self.pool(self.conv(x)), dim=1)


def get_inputs():
    return [torch.randn(BATCH, IN_CHANNELS, LENGTH)]


def get_init_inputs():
    return [IN_CHANNELS, OUT_CHANNELS]
