"""Small modules for the fusion tests, and settings under which its agent takes as little time as it can."""

from pathlib import Path
from typing import Any

import pytest

SUMMED = '''\
"""A linear layer of which only the sum is wanted."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(16, width)

    def forward(self, x):
        return self.fc(x).sum(dim=1, keepdim=True)


WIDTH = 512


def get_inputs():
    return [torch.randn(64, 16)]


def get_init_inputs():
    return [WIDTH]
'''


@pytest.fixture
def summed(project: Path) -> str:
    """The name of a problem that a rule makes faster."""
    (project / "summed.py").write_text(SUMMED)
    return "kernelbench:summed.py"


@pytest.fixture
def quick() -> dict[str, Any]:
    """Settings of the agent `fusion` for tests: few draws, few rounds, no kernels."""
    return {
        "kernels": False,
        "executions": ["eager"],
        "archive": False,
        "timing": {"min_rounds": 3, "max_rounds": 3, "max_seconds": 0.1, "warm_up_seconds": 0.1},
        "verification": {
            "input_seeds": 2,
            "weight_seeds": 1,
            "distributions": [],
            "special": [],
            "strided": False,
            "other_batch": False,
        },
    }
