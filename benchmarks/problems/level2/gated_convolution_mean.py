"""A convolution, a gate for each channel made from another input, and the mean over the image."""

import torch
from torch import nn

BATCH_SIZE = 16
IN_CHANNELS = 16
OUT_CHANNELS = 64
SIZE = 56


class Model(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.gate = nn.Linear(in_channels, out_channels)

    def forward(self, x, context):
        gate = torch.sigmoid(self.gate(context))
        return (self.conv(x) * gate[:, :, None, None]).mean(dim=(2, 3))


def get_inputs():
    return [torch.randn(BATCH_SIZE, IN_CHANNELS, SIZE, SIZE), torch.randn(BATCH_SIZE, IN_CHANNELS)]


def get_init_inputs():
    return [IN_CHANNELS, OUT_CHANNELS]
