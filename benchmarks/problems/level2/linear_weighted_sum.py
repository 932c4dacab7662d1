"""Linear, a product with a learned vector, the sum of it."""

import torch
from torch import nn

BATCH = 256
IN_FEATURES = 2048
OUT_FEATURES = 1024


class Model(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.importance = nn.Parameter(torch.rand(out_features))

    def forward(self, x):
        return (self.linear(x) * self.importance).sum(dim=1)


def get_inputs():
    return [torch.randn(BATCH, IN_FEATURES)]


def get_init_inputs():
    return [IN_FEATURES, OUT_FEATURES]
