"""Sums over groups of a layer's outputs."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.grouped_outputs_sum import GroupedOutputsSum


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=2, max_size=3),
    over=st.data(),
    lead=st.lists(st.integers(1, 3), min_size=1, max_size=2),
    bias=st.booleans(),
    mean=st.booleans(),
    keepdim=st.booleans(),
    outer=st.booleans(),
)
def test_linear_layers(check, sizes, over, lead, bias, mean, keepdim, outer):
    inner = over.draw(st.sets(st.integers(0, len(sizes) - 1), min_size=1))
    dims = [len(lead) + index for index in inner] + ([0] if outer else [])
    width = torch.Size(sizes).numel()
    parameters = {"weight": torch.randn(width, 5).double()} | ({"bias": torch.randn(width).double()} if bias else {})

    def function(x, **p):
        y = F.linear(x, **p).view(*lead, *sizes)
        return (torch.mean if mean else torch.sum)(y, dims, keepdim=keepdim)

    reduced = torch.Size([sizes[index] for index in inner]).numel()
    x = torch.randn(*lead, 5).double()
    check(GroupedOutputsSum(), function, [x], times=int(reduced > 1), **parameters)


@settings(max_examples=15, deadline=None)
@given(spatial=st.integers(1, 3), groups=st.integers(2, 3), dim=st.sampled_from([1, 2]), stride=st.integers(1, 2))
def test_convolutions(check, spatial, groups, dim, stride):
    convolve = (F.conv1d, F.conv2d, F.conv3d)[spatial - 1]
    weight, bias = torch.randn(4 * groups, 3, *[3] * spatial).double(), torch.randn(4 * groups).double()
    x = torch.randn(2, 3, *[5] * spatial).double()

    def function(x, weight, bias):
        return convolve(x, weight, bias, stride, 1).unflatten(1, (groups, 4)).mean(dim)

    check(GroupedOutputsSum(), function, [x], weight=weight, bias=bias)


def test_leaves_other_views_and_shared_outputs_alone(check):
    weight, x = torch.randn(12, 5).double(), torch.randn(4, 6, 5).double()
    functions = (
        lambda x, weight: F.linear(x, weight).view(4, 12, 6).sum(1),
        lambda x, weight: F.linear(x, weight).view(2, 2, 6, 12).sum(1),
        lambda x, weight: F.linear(x, weight).view(4, 6, 3, 4).amax(2),
        lambda x, weight: F.linear(x, weight).view(4, 6, 3, 4).sum(1),
    )
    for function in functions:
        check(GroupedOutputsSum(), function, [x], times=0, weight=weight)

    def shared(x, weight):
        y = F.linear(x, weight)
        return y.view(4, 6, 3, 4).sum(2), y

    check(GroupedOutputsSum(), shared, [x], times=0, weight=weight)
