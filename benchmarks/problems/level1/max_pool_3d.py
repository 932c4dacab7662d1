"""Max pooling of volumes, dilated."""

import torch
from torch import nn

BATCH = 2
CHANNELS = 16
SIDE = 32
KERNEL = 3
STRIDE = 2
PADDING = 1
DILATION = 2


class Model(nn.Module):
    def __init__(self, kernel, stride, padding, dilation):
        super().__init__()
        self.pool = nn.MaxPool3d(kernel, stride=stride, padding=padding, dilation=dilation)

    def forward(self, x):
        return self.pool(x)


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, SIDE, SIDE, SIDE)]


def get_init_inputs():
    return [KERNEL, STRIDE, PADDING, DILATION]
