"""A recurrent network, read at its last step."""

import torch
from torch import nn

BATCH = 16
LENGTH = 64
IN_FEATURES = 64
HIDDEN = 128
CLASSES = 10


class Model(nn.Module):
    def __init__(self, in_features, hidden, classes):
        super().__init__()
        self.gru = nn.GRU(in_features, hidden, num_layers=2, batch_first=True)
        self.head = nn.Linear(hidden, classes)

    def forward(self, x):
        out, _ = self.gru(x)
        return self.head(out[:, -1])


def get_inputs():
    return [torch.randn(BATCH, LENGTH, IN_FEATURES)]


def get_init_inputs():
    return [IN_FEATURES, HIDDEN, CLASSES]
