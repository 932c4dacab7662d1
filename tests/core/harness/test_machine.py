"""Tests of measuring the machine."""

import torch

from netwright.harness.clock import Clock
from netwright.harness.machine import bandwidth, peak_rate

CPU = torch.device("cpu")


def test_any_working_set_has_a_bandwidth() -> None:
    clock = Clock()
    assert all(1e6 < bandwidth(size, CPU, clock) < 1e14 for size in (0, 1 << 14, 1 << 20))


def test_products_have_a_rate() -> None:
    assert 1e8 < peak_rate(torch.float32, CPU, Clock()) < 1e15
