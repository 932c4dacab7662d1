"""Extrema whose positions nobody asks for."""

import torch
from torch.nn import functional as F

from netwright_fusion.rules.values_only import ValuesOnly


def test_values(check):
    x = torch.randn(2, 3, 4).double()
    check(ValuesOnly(), lambda x: torch.max(x, 1, keepdim=True)[0], [x], times=1)
    check(ValuesOnly(), lambda x: torch.min(x, dim=-1).values, [x], times=1)


def test_pools_to_one_position(check):
    x = torch.randn(2, 3, 4, 6, 5).double()
    check(ValuesOnly(), lambda x: F.adaptive_max_pool1d(x[0, 0], 1), [x], times=1)
    check(ValuesOnly(), lambda x: F.adaptive_max_pool2d(x[0], (1, 1)), [x], times=1)
    check(ValuesOnly(), lambda x: F.adaptive_max_pool3d(x, 1), [x], times=1)
    check(ValuesOnly(), lambda x: F.adaptive_max_pool2d(x[0], (1, 2)), [x], times=0)
    check(ValuesOnly(), lambda x: F.adaptive_max_pool2d(x[0], 1, return_indices=True), [x], times=0)


def test_largest_of_topk(check):
    x = torch.randn(2, 3, 4).double()
    check(ValuesOnly(), lambda x: torch.topk(x, 1, dim=1)[0], [x], times=1)
    check(ValuesOnly(), lambda x: x.topk(1).values.squeeze(-1), [x], times=1)
    check(ValuesOnly(), lambda x: x.topk(2)[0], [x], times=0)
    check(ValuesOnly(), lambda x: x.topk(1, largest=False)[0], [x], times=0)


def test_leaves_positions_alone(check):
    x = torch.randn(2, 3, 4).double()
    check(ValuesOnly(), lambda x: tuple(torch.max(x, 1)), [x], times=0)
    check(ValuesOnly(), lambda x: tuple(torch.topk(x, 1)), [x], times=0)
