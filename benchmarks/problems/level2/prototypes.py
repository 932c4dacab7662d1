"""Cosine between projected samples and prototypes, scaled."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH = 512
IN_FEATURES = 512
OUT_FEATURES = 256
CLASSES = 200


class Model(nn.Module):
    def __init__(self, in_features, out_features, classes):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.prototypes = nn.Parameter(torch.randn(classes, out_features))

    def forward(self, x):
        return F.linear(F.normalize(self.linear(x)), F.normalize(self.prototypes)) * 16.0


def get_inputs():
    return [torch.randn(BATCH, IN_FEATURES)]


def get_init_inputs():
    return [IN_FEATURES, OUT_FEATURES, CLASSES]
