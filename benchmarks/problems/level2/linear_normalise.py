"""Linear, minus a centre, divided by its length."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH = 512
IN_FEATURES = 1024
OUT_FEATURES = 512


class Model(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features, bias=False)
        self.centre = nn.Parameter(torch.randn(out_features) * 0.1)

    def forward(self, x):
        return F.normalize(self.linear(x) - self.centre, dim=-1)


def get_inputs():
    return [torch.randn(BATCH, IN_FEATURES)]


def get_init_inputs():
    return [IN_FEATURES, OUT_FEATURES]
