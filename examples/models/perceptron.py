"""A module alone: who runs it says what it is fed."""

import torch
from torch import nn


class Perceptron(nn.Module):
    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.hidden = nn.Linear(64, width)
        self.head = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.hidden(x)))
