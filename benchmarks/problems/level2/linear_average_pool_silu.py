"""Linear, average pooling of neighbouring features, SiLU."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH = 256
IN_FEATURES = 1024
OUT_FEATURES = 2048
WINDOW = 4


class Model(nn.Module):
    def __init__(self, in_features, out_features, window):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.pool = nn.AvgPool1d(window)

    def forward(self, x):
        return F.silu(self.pool(self.linear(x)))


def get_inputs():
    return [torch.randn(BATCH, IN_FEATURES)]


def get_init_inputs():
    return [IN_FEATURES, OUT_FEATURES, WINDOW]
