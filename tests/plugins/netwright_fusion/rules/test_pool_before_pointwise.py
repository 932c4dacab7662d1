"""Average pools moved before pointwise convolutions."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.pool_before_pointwise import PoolBeforePointwise


@settings(max_examples=6, deadline=None)
@given(window=st.integers(1, 3), stride=st.integers(2, 3), groups=st.sampled_from([1, 2]), size=st.integers(4, 7))
def test_pools_before_pointwise_convolutions(check, window, stride, groups, size):
    weight, bias = torch.randn(4, 2, 1, 1).double(), torch.randn(4).double()
    x = torch.randn(2, 2 * groups, size, size).double()

    def function(x, weight, bias):
        return F.avg_pool2d(F.conv2d(x, weight, bias, groups=groups), window, stride)

    _, applied = check(PoolBeforePointwise(), function, [x], weight=weight, bias=bias)
    assert applied[0].flops_removed > 0


@settings(max_examples=6, deadline=None)
@given(spatial=st.integers(1, 3), size=st.integers(4, 7), outputs=st.integers(2, 3))
def test_adaptive_pools(check, spatial, size, outputs):
    convolve = (F.conv1d, F.conv2d, F.conv3d)[spatial - 1]
    pool = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)[spatial - 1]
    weight, bias = torch.randn(4, 3, *[1] * spatial).double(), torch.randn(4).double()
    x = torch.randn(2, 3, *[size] * spatial).double()
    _, applied = check(
        PoolBeforePointwise(), lambda x, w, b: pool(convolve(x, w, b), outputs), [x], times=1, w=weight, b=bias
    )
    assert applied[0].flops_removed > 0


def test_leaves_larger_kernels_and_borders_alone(check):
    weight, x = torch.randn(4, 3, 1, 1).double(), torch.randn(2, 3, 8, 8).double()
    for function in (
        lambda x, weight: F.avg_pool2d(F.conv2d(x, weight, padding=1), 2),
        lambda x, weight: F.avg_pool2d(F.conv2d(x, weight, stride=2), 2),
        lambda x, weight: F.avg_pool2d(F.conv2d(x, weight), 2, padding=1),
        lambda x, weight: F.avg_pool2d(F.conv2d(x, weight.expand(4, 3, 2, 2)), 2),
        lambda x, weight: F.adaptive_avg_pool2d(F.conv2d(x, weight), 9),
        lambda x, weight: F.adaptive_avg_pool2d(F.conv2d(x, weight.expand(4, 3, 2, 2)), 3),
    ):
        check(PoolBeforePointwise(), function, [x], times=0, weight=weight)
