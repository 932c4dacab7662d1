"""A module as users have it: no manifest, no netwright import."""

import torch
from torch import nn

WIDTH = 256


class TwoLayers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(64, WIDTH)
        self.second = nn.Linear(WIDTH, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.relu(self.first(x)))


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(32, 64)]
