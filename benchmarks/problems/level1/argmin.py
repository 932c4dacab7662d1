"""The place of the least element along the middle."""

import torch
from torch import nn

BATCH = 16
ROWS = 512
COLUMNS = 256
DIM = 1


class Model(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, x):
        return torch.argmin(x, dim=self.dim)


def get_inputs():
    return [torch.randn(BATCH, ROWS, COLUMNS)]


def get_init_inputs():
    return [DIM]
