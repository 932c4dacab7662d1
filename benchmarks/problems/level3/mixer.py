"""An MLP mixer over patches."""

import torch
from torch import nn

BATCH = 4
PATCHES = 64
HIDDEN = 192
DEPTH = 3
CLASSES = 10


class Mix(nn.Module):
    def __init__(self, patches, hidden):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.tokens = nn.Sequential(nn.Linear(patches, 2 * patches), nn.GELU(), nn.Linear(2 * patches, patches))
        self.channels = nn.Sequential(nn.Linear(hidden, 4 * hidden), nn.GELU(), nn.Linear(4 * hidden, hidden))

    def forward(self, x):
        x = x + self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm2(x))


class Model(nn.Module):
    def __init__(self, patches, hidden, depth, classes):
        super().__init__()
        self.blocks = nn.Sequential(*(Mix(patches, hidden) for _ in range(depth)))
        self.norm = nn.LayerNorm(hidden)
        self.head = nn.Linear(hidden, classes)

    def forward(self, x):
        return self.head(self.norm(self.blocks(x)).mean(dim=1))


def get_inputs():
    return [torch.randn(BATCH, PATCHES, HIDDEN)]


def get_init_inputs():
    return [PATCHES, HIDDEN, DEPTH, CLASSES]
