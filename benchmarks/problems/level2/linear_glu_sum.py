"""Linear, a gated half, the sum over it."""

import torch
from torch import nn

BATCH = 256
IN_FEATURES = 1024
OUT_FEATURES = 2048


class Model(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        value, gate = self.linear(x).chunk(2, dim=-1)
        return (value * torch.sigmoid(gate)).sum(-1)


def get_inputs():
    return [torch.randn(BATCH, IN_FEATURES)]


def get_init_inputs():
    return [IN_FEATURES, OUT_FEATURES]
