"""Patches, encoder layers of torch, and a class token."""

import torch
from torch import nn

BATCH = 2
SIDE = 64
PATCH = 8
HIDDEN = 128
HEADS = 4
CLASSES = 10


class Model(nn.Module):
    def __init__(self, side, patch, hidden, heads, classes):
        super().__init__()
        self.patch = patch
        self.embed = nn.Linear(3 * patch * patch, hidden)
        self.token = nn.Parameter(torch.randn(1, 1, hidden))
        self.position = nn.Parameter(torch.randn(1, (side // patch) ** 2 + 1, hidden))
        layer = nn.TransformerEncoderLayer(hidden, heads, 4 * hidden, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(hidden, classes)

    def forward(self, x):
        p = self.patch
        x = x.unfold(2, p, p).unfold(3, p, p).reshape(x.shape[0], 3, -1, p * p).transpose(1, 2).flatten(2)
        x = self.embed(x)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.position
        return self.head(self.encoder(x)[:, 0])


def get_inputs():
    return [torch.randn(BATCH, 3, SIDE, SIDE)]


def get_init_inputs():
    return [SIDE, PATCH, HIDDEN, HEADS, CLASSES]
