"""Convolutions whose channels are summed or averaged."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.convolution_channel_sum import ConvolutionChannelSum


@settings(max_examples=10, deadline=None)
@given(
    transposed=st.booleans(),
    groups=st.sampled_from([1, 2]),
    dims=st.sampled_from([(1,), (1, 2), (0, 1), (-3,)]),
    mean=st.booleans(),
    keepdim=st.booleans(),
    bias=st.booleans(),
)
def test_sums_of_channels(check, transposed, groups, dims, mean, keepdim, bias):
    parameters = {"weight": torch.randn(*((4, 3) if transposed else (6, 4 // groups)), 3, 2).double()}
    if bias:
        parameters["bias"] = torch.randn(3 * groups if transposed else 6).double()
    convolve, reduce = F.conv_transpose2d if transposed else F.conv2d, torch.mean if mean else torch.sum
    x = torch.randn(2, 4, 6, 5).double()

    def function(x, **p):
        return reduce(convolve(x, **p, stride=2, padding=1, groups=groups), dims, keepdim=keepdim)

    _, applied = check(ConvolutionChannelSum(), function, [x], **parameters)
    assert applied[0].flops_removed > 0


def test_leaves_other_dimensions_alone(check):
    weight, x = torch.randn(4, 3, 3, 3).double(), torch.randn(2, 3, 6, 6).double()
    check(ConvolutionChannelSum(), lambda x, weight: F.conv2d(x, weight).sum(2), [x], times=0, weight=weight)
    check(ConvolutionChannelSum(), lambda x, weight: F.conv2d(x, weight).amax(1), [x], times=0, weight=weight)
