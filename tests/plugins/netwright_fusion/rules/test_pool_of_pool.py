"""Pools of pools, and means of means."""

import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.pool_of_pool import MeanOfAverages, PoolOfPool


@settings(max_examples=10, deadline=None)
@given(kernel=st.integers(2, 3), stride=st.integers(1, 3), padding=st.integers(0, 1), size=st.integers(8, 13))
def test_max_pools(check, kernel, stride, padding, size):
    assume(stride <= kernel)
    x = torch.randn(2, 3, size).double()
    check(PoolOfPool(), lambda x: F.max_pool1d(F.max_pool1d(x, kernel, stride, padding), 2), [x])


def test_average_pools(check):
    x = torch.randn(2, 3, 13, 13).double()
    check(PoolOfPool(), lambda x: F.avg_pool2d(F.avg_pool2d(x, 2), 3, 2), [x], times=1)
    check(PoolOfPool(), lambda x: F.avg_pool2d(F.avg_pool2d(x, 3, 2), 2), [x], times=0)
    check(PoolOfPool(), lambda x: F.avg_pool2d(F.avg_pool2d(x, 2, padding=1), 2), [x], times=0)
    check(PoolOfPool(), lambda x: F.max_pool2d(F.avg_pool2d(x, 2), 2), [x], times=0)
    check(PoolOfPool(), lambda x: F.max_pool2d(F.max_pool2d(x, 1, 2), 2), [x], times=0)


@settings(max_examples=10, deadline=None)
@given(
    kind=st.sampled_from(["sum", "mean", "amax"]),
    first=st.sampled_from([(1,), (2,), (1, 3)]),
    second=st.sampled_from([(1,), (0,)]),
    inner=st.booleans(),
    outer=st.booleans(),
)
def test_reductions_of_reductions(check, kind, first, second, inner, outer):
    assume((inner or not outer) and not (inner and not outer and set(first) - set(second)))
    x = torch.randn(2, 3, 4, 5).double()
    reduce = getattr(torch, kind)
    check(MeanOfAverages(), lambda x: reduce(reduce(x, first, keepdim=inner), second, keepdim=outer), [x], times=1)


def test_means_of_average_pools(check):
    x = torch.randn(2, 3, 6, 6).double()
    check(MeanOfAverages(), lambda x: F.avg_pool2d(x, 3).mean((2, 3)), [x], times=1)
    check(MeanOfAverages(), lambda x: F.avg_pool2d(x, 4).mean((2, 3)), [x], times=0)
    check(MeanOfAverages(), lambda x: F.avg_pool2d(x, 3, 1).mean((2, 3)), [x], times=0)
    check(MeanOfAverages(), lambda x: F.avg_pool2d(x, 3).sum((2, 3)), [x], times=0)
    check(MeanOfAverages(), lambda x: x.sum(1).mean(1), [x], times=0)
