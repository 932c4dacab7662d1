"""A transposed convolution of volumes, averaged over depth only, then a gate per channel."""

import torch
from torch import nn

CHANNELS = 24
DEPTH = 12
SIDE = 20


class Model(nn.Module):
    """Transposed convolution, mean over depth, bias, sigmoid, scale."""

    def __init__(self, channels):
        super().__init__()
        self.up = nn.ConvTranspose3d(channels, 2 * channels, 3, stride=2, padding=1, output_padding=1)
        self.shift = nn.Parameter(torch.randn(2 * channels, 1, 1, 1) * 0.1)

    def forward(self, x):
        y = self.up(x).mean(dim=2, keepdim=True) + self.shift
        return torch.sigmoid(y) * 2.0


def get_inputs():
    return [torch.randn(2, CHANNELS, DEPTH, SIDE, SIDE)]


def get_init_inputs():
    return [CHANNELS]
