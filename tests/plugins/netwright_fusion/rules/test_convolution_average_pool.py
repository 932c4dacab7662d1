"""Convolutions that are averaged in windows."""

import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.convolution_average_pool import ConvolutionAveragePool

CONVOLUTIONS = (F.conv1d, F.conv2d, F.conv3d)
POOLS = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)


@settings(max_examples=12, deadline=None)
@given(
    spatial=st.integers(1, 3),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 2),
    padding=st.integers(0, 1),
    window=st.integers(2, 3),
    groups=st.sampled_from([1, 2]),
    size=st.integers(6, 9),
    bias=st.booleans(),
)
def test_averaged_convolutions(check, spatial, kernel, stride, padding, window, groups, size, bias):
    assume(stride <= kernel and size + 2 * padding >= kernel + stride * (window - 1))
    out = (size + 2 * padding - kernel) // stride + 1
    assume((out // window) * (kernel + stride * (window - 1)) < out * kernel)
    parameters = {"weight": torch.randn(4, 2, *[kernel] * spatial).double()}
    if bias:
        parameters["bias"] = torch.randn(4).double()
    x = torch.randn(2, 2 * groups, *[size] * spatial).double()

    def function(x, **p):
        return POOLS[spatial - 1](
            CONVOLUTIONS[spatial - 1](x, **p, stride=stride, padding=padding, groups=groups), window
        )

    _, applied = check(ConvolutionAveragePool(), function, [x], **parameters)
    assert applied[0].flops_removed > 0


def test_leaves_pools_alone_that_are_not_one_convolution(check):
    weight, x = torch.randn(4, 3, 1, 1).double(), torch.randn(2, 3, 8, 8).double()
    for function in (
        lambda x, weight: F.avg_pool2d(F.conv2d(x, weight, stride=2), 2),
        lambda x, weight: F.avg_pool2d(F.conv2d(x, weight), 2, padding=1),
        lambda x, weight: F.avg_pool2d(F.conv2d(x, weight), 3, ceil_mode=True),
        lambda x, weight: F.avg_pool2d(F.conv2d(x, weight).relu(), 2),
        lambda x, weight: F.max_pool2d(F.conv2d(x, weight), 2),
        lambda x, weight: F.avg_pool2d(F.conv2d(x, weight), 2, stride=1),
    ):
        check(ConvolutionAveragePool(), function, [x], times=0, weight=weight)
