"""Linear and a softmax written out."""

import torch
from torch import nn

BATCH = 256
IN_FEATURES = 512
OUT_FEATURES = 2048


class Model(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        x = self.linear(x)
        return torch.exp(x - torch.logsumexp(x, dim=-1, keepdim=True))


def get_inputs():
    return [torch.randn(BATCH, IN_FEATURES)]


def get_init_inputs():
    return [IN_FEATURES, OUT_FEATURES]
