"""A four-dimensional tensor contracted with a matrix."""

import torch
from torch import nn

BATCH = 4
ROWS = 16
COLUMNS = 32
INNER = 128
OUTER = 256


class Model(nn.Module):
    def forward(self, a, b):
        return torch.einsum("bijl,lk->bijk", a, b)


def get_inputs():
    return [torch.randn(BATCH, ROWS, COLUMNS, INNER), torch.randn(INNER, OUTER)]


def get_init_inputs():
    return []
