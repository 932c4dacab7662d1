"""Seeded blocks."""

import random

import numpy as np
import torch

from netwright.cases.seeding import seeded


def draws() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_a_block_is_reproducible_and_leaves_no_trace() -> None:
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    undisturbed = draws()
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    with seeded(5):
        first = draws()
    assert draws() == undisturbed
    with seeded(5):
        assert draws() == first
    with seeded(2**40):
        assert draws() != first
