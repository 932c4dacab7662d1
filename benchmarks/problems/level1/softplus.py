"""Softplus."""

import torch
from torch import nn

BATCH = 64
FEATURES = 16384


class Model(nn.Module):
    def forward(self, x):
        return nn.functional.softplus(x)


def get_inputs():
    return [torch.randn(BATCH, FEATURES)]


def get_init_inputs():
    return []
