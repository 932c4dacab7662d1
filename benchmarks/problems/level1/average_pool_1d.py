"""Average pooling of sequences."""

import torch
from torch import nn

BATCH = 16
CHANNELS = 64
LENGTH = 4096
KERNEL = 8
STRIDE = 1
PADDING = 4


class Model(nn.Module):
    def __init__(self, kernel, stride, padding):
        super().__init__()
        self.pool = nn.AvgPool1d(kernel, stride=stride, padding=padding)

    def forward(self, x):
        return self.pool(x)


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, LENGTH)]


def get_init_inputs():
    return [KERNEL, STRIDE, PADDING]
