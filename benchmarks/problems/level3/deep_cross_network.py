"""Features crossed with each other in layers, as in deep and cross networks, beside a small perceptron."""

import torch
from torch import nn

FEATURES = 384
BATCH = 128


class Model(nn.Module):
    """Three layers of x0 (x1 . w) + b + x1, and a head on both branches."""

    def __init__(self, features, layers):
        super().__init__()
        self.weights = nn.ParameterList(nn.Parameter(torch.randn(features, 1) * 0.05) for _ in range(layers))
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(features, 1)) for _ in range(layers))
        self.deep = nn.Sequential(nn.Linear(features, 256), nn.ReLU(), nn.Linear(256, 64), nn.ReLU())
        self.head = nn.Linear(features + 64, 1)

    def forward(self, x):
        first = x.unsqueeze(2)
        crossed = first
        for weight, bias in zip(self.weights, self.biases, strict=True):
            crossed = torch.matmul(torch.bmm(first, crossed.transpose(1, 2)), weight) + bias + crossed
        return torch.sigmoid(self.head(torch.cat([crossed.squeeze(2), self.deep(x)], dim=1)))


def get_inputs():
    return [torch.randn(BATCH, FEATURES)]


def get_init_inputs():
    return [FEATURES, 3]
