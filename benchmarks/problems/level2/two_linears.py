"""Two linear layers with nothing between, ReLU."""

import torch
from torch import nn

BATCH = 256
IN_FEATURES = 1024
HIDDEN = 2048
OUT_FEATURES = 256


class Model(nn.Module):
    def __init__(self, in_features, hidden, out_features):
        super().__init__()
        self.first = nn.Linear(in_features, hidden)
        self.second = nn.Linear(hidden, out_features)

    def forward(self, x):
        return torch.relu(self.second(self.first(x)))


def get_inputs():
    return [torch.randn(BATCH, IN_FEATURES)]


def get_init_inputs():
    return [IN_FEATURES, HIDDEN, OUT_FEATURES]
