"""A tall matrix times a wide one."""

import torch
from torch import nn

M = 2048
K = 256
N = 512


class Model(nn.Module):
    def forward(self, a, b):
        return torch.matmul(a, b)


def get_inputs():
    return [torch.randn(M, K), torch.randn(K, N)]


def get_init_inputs():
    return []
