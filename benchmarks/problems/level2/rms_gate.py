"""RMS normalisation, two projections, one gating the other."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH = 4
LENGTH = 64
HIDDEN = 512
INNER = 1024


class Model(nn.Module):
    def __init__(self, hidden, inner):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(hidden))
        self.value = nn.Linear(hidden, inner, bias=False)
        self.gate = nn.Linear(hidden, inner, bias=False)

    def forward(self, x):
        x = F.rms_norm(x, x.shape[-1:], self.scale, 1e-6)
        return self.value(x) * F.gelu(self.gate(x), approximate="tanh")


def get_inputs():
    return [torch.randn(BATCH, LENGTH, HIDDEN)]


def get_init_inputs():
    return [HIDDEN, INNER]
