"""A few real digits and models that learn them in no time."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from netwright_training import Splits, load_dataset


@pytest.fixture(scope="session")
def digits() -> Splits:
    """A few hundred real digits."""
    return load_dataset({"name": "digits", "limit": 200}, seed=0)


@pytest.fixture
def make_model() -> Callable[[], nn.Module]:
    """Makes the same small network every time, with batch normalisation and dropout."""

    def make() -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return nn.Sequential(
                nn.Flatten(),
                nn.Linear(64, 32),
                nn.BatchNorm1d(32),
                nn.ReLU(),
                nn.Dropout(0.2),
                nn.Linear(32, 10),
            )

    return make
