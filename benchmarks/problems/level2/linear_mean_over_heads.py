"""Linear, heads, the mean of them, softmax."""

import torch
from torch import nn

BATCH = 256
IN_FEATURES = 1024
HEADS = 16
CLASSES = 128


class Model(nn.Module):
    def __init__(self, in_features, heads, classes):
        super().__init__()
        self.linear = nn.Linear(in_features, heads * classes)
        self.heads = heads

    def forward(self, x):
        return torch.softmax(self.linear(x).unflatten(-1, (self.heads, -1)).mean(dim=1), dim=-1)


def get_inputs():
    return [torch.randn(BATCH, IN_FEATURES)]


def get_init_inputs():
    return [IN_FEATURES, HEADS, CLASSES]
