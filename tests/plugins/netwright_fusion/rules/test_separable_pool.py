"""Pools taken one dimension after the other."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.separable_pool import SeparablePool

POOLS = {("max", 2): F.max_pool2d, ("max", 3): F.max_pool3d, ("avg", 2): F.avg_pool2d, ("avg", 3): F.avg_pool3d}


@settings(max_examples=12, deadline=None)
@given(
    kind=st.sampled_from(["max", "avg"]),
    spatial=st.integers(2, 3),
    kernel=st.integers(5, 6),
    padding=st.integers(0, 2),
)
def test_large_windows(check, kind, spatial, kernel, padding):
    x = torch.randn(2, 1, *[9] * spatial).double()
    check(SeparablePool(), lambda x: POOLS[kind, spatial](x, kernel, 1, padding), [x], times=1)


def test_strides_and_dilation(check):
    x = torch.randn(2, 1, 20, 20).double()
    check(SeparablePool(), lambda x: F.avg_pool2d(x, 8, 2, 1), [x], times=1)
    check(SeparablePool(), lambda x: F.max_pool2d(x, 8, 2), [x], times=1)
    check(SeparablePool(), lambda x: F.max_pool2d(x, 6, 1, 1, dilation=2), [x], times=1)


def test_leaves_other_pools_alone(check):
    x = torch.randn(2, 1, 12, 12).double()
    for function in (
        lambda x: F.avg_pool2d(x, 6),
        lambda x: F.max_pool2d(x, 2, 1),
        lambda x: F.max_pool2d(x, (6, 1), 1),
        lambda x: F.avg_pool2d(x, 6, 1, 2, count_include_pad=False),
        lambda x: F.max_pool2d(x, 5, 2, ceil_mode=True),
    ):
        check(SeparablePool(), function, [x], times=0)
