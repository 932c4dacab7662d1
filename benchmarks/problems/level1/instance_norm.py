"""Instance normalisation."""

import torch
from torch import nn

BATCH = 8
FEATURES = 32
SIDE = 96


class Model(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.norm = nn.InstanceNorm2d(features)

    def forward(self, x):
        return self.norm(x)


def get_inputs():
    return [torch.randn(BATCH, FEATURES, SIDE, SIDE)]


def get_init_inputs():
    return [FEATURES]
