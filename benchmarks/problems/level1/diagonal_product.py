"""A diagonal matrix times a full one."""

import torch
from torch import nn

N = 1536
M = 1024


class Model(nn.Module):
    def forward(self, diagonal, b):
        return torch.diag(diagonal) @ b


def get_inputs():
    return [torch.randn(N), torch.randn(N, M)]


def get_init_inputs():
    return []
