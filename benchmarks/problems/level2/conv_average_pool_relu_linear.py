"""Convolution, average pooling, ReLU, a classifier."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH = 16
IN_CHANNELS = 8
OUT_CHANNELS = 32
SIDE = 66
CLASSES = 10


class Model(nn.Module):
    def __init__(self, in_channels, out_channels, classes):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3)
        self.linear = nn.Linear(out_channels * 16 * 16, classes)

    def forward(self, x):
        x = torch.relu(F.avg_pool2d(self.conv(x), 4))
        return self.linear(x.flatten(1))


def get_inputs():
    return [torch.randn(BATCH, IN_CHANNELS, SIDE, SIDE)]


def get_init_inputs():
    return [IN_CHANNELS, OUT_CHANNELS, CLASSES]
