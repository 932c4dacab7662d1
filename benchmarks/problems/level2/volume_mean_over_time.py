"""3-D convolution, the mean over time, sigmoid."""

import torch
from torch import nn

BATCH = 4
IN_CHANNELS = 4
OUT_CHANNELS = 24
FRAMES = 16
SIDE = 32


class Model(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.conv = nn.Conv3d(in_channels, out_channels, 3)

    def forward(self, x):
        return torch.sigmoid(self.conv(x).mean(dim=2))


def get_inputs():
    return [torch.randn(BATCH, IN_CHANNELS, FRAMES, SIDE, SIDE)]


def get_init_inputs():
    return [IN_CHANNELS, OUT_CHANNELS]
