"""Two matrices and a vector, multiplied from the left."""

import torch
from torch import nn

M = 1024
K = 1024
N = 1024


class Model(nn.Module):
    def __init__(self, k, n):
        super().__init__()
        self.b = nn.Parameter(torch.randn(k, n) * 0.03)
        self.v = nn.Parameter(torch.randn(n, 1))

    def forward(self, a):
        return torch.relu((a @ self.b) @ self.v)


def get_inputs():
    return [torch.randn(M, K)]


def get_init_inputs():
    return [K, N]
