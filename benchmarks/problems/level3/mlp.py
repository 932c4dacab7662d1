"""A perceptron of four layers."""

import itertools

import torch
from torch import nn

BATCH = 128
IN_FEATURES = 1024
HIDDEN = 2048
OUT_FEATURES = 512


class Model(nn.Module):
    def __init__(self, in_features, hidden, out_features):
        super().__init__()
        sizes = [in_features, hidden, hidden, hidden]
        layers = [layer for pair in itertools.pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())]
        self.network = nn.Sequential(*layers, nn.Linear(hidden, out_features))

    def forward(self, x):
        return self.network(x)


def get_inputs():
    return [torch.randn(BATCH, IN_FEATURES)]


def get_init_inputs():
    return [IN_FEATURES, HIDDEN, OUT_FEATURES]
