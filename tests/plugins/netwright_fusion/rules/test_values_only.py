"""Extrema whose positions nobody asks for."""

import torch

from netwright_fusion.rules.values_only import ValuesOnly


def test_values(check):
    x = torch.randn(2, 3, 4).double()
    check(ValuesOnly(), lambda x: torch.max(x, 1, keepdim=True)[0], [x], times=1)
    check(ValuesOnly(), lambda x: torch.min(x, dim=-1).values, [x], times=1)


def test_leaves_positions_alone(check):
    x = torch.randn(2, 3, 4).double()
    check(ValuesOnly(), lambda x: tuple(torch.max(x, 1)), [x], times=0)
