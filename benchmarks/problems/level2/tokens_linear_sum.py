"""A linear layer on every token, and the sum over tokens."""

import torch
from torch import nn

BATCH = 32
LENGTH = 64
IN_FEATURES = 512
OUT_FEATURES = 512


class Model(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        return torch.tanh(self.linear(x).sum(dim=1))


def get_inputs():
    return [torch.randn(BATCH, LENGTH, IN_FEATURES)]


def get_init_inputs():
    return [IN_FEATURES, OUT_FEATURES]
