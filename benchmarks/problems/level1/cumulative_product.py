"""A cumulative product."""

import torch
from torch import nn

BATCH = 128
LENGTH = 4096
DIM = 1


class Model(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, x):
        return torch.cumprod(x, dim=self.dim)


def get_inputs():
    return [torch.rand(BATCH, LENGTH) + 0.5]


def get_init_inputs():
    return [DIM]
