"""3-D convolution, instance normalisation, SiLU, the largest channel."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH = 2
IN_CHANNELS = 4
OUT_CHANNELS = 32
FRAMES = 12
SIDE = 32


class Model(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.conv = nn.Conv3d(in_channels, out_channels, 3, padding=1)
        self.norm = nn.InstanceNorm3d(out_channels, affine=True)

    def forward(self, x):
        return F.silu(self.norm(self.conv(x))).amax(dim=1)


def get_inputs():
    return [torch.randn(BATCH, IN_CHANNELS, FRAMES, SIDE, SIDE)]


def get_init_inputs():
    return [IN_CHANNELS, OUT_CHANNELS]
