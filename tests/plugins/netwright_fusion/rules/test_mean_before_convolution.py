"""Means over all positions moved before convolutions."""

import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.mean_before_convolution import MeanBeforeConvolution, Visits, covered

PLAIN = (F.conv1d, F.conv2d, F.conv3d)
TRANSPOSED = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)


@settings(max_examples=25, deadline=None)
@given(
    transposed=st.booleans(),
    spatial=st.integers(1, 3),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
    size=st.integers(4, 7),
    groups=st.sampled_from([1, 2]),
    mean=st.booleans(),
    keepdim=st.booleans(),
    bias=st.booleans(),
)
def test_means_over_positions(
    check, transposed, spatial, kernel, stride, padding, dilation, size, groups, mean, keepdim, bias
):
    reach = dilation * (kernel - 1) + 1
    if transposed:
        assume((size - 1) * stride - 2 * padding + reach > 1 and padding < reach)
    else:
        assume(size + 2 * padding >= reach + stride and padding < size)
    out = (size - 1) * stride - 2 * padding + reach if transposed else (size + 2 * padding - reach) // stride + 1
    steps, end = (size, out) if transposed else (out, size)
    offsets = [dilation * element - padding for element in range(kernel)]
    assume(all(any(0 <= stride * step + offset < end for step in range(steps)) for offset in offsets))
    parameters = {"weight": torch.randn(2 * groups, 3, *[kernel] * spatial).double()}
    if bias:
        parameters["bias"] = torch.randn(3 * groups if transposed else 2 * groups).double()
    x = torch.randn(2, 2 * groups if transposed else 3 * groups, *[size] * spatial).double()
    convolve, reduce = (TRANSPOSED if transposed else PLAIN)[spatial - 1], torch.mean if mean else torch.sum
    dims = tuple(range(2, 2 + spatial))

    def function(x, **p):
        y = convolve(x, **p, stride=stride, padding=padding, dilation=dilation, groups=groups)
        return reduce(y, dims, keepdim=keepdim)

    check(MeanBeforeConvolution(), function, [x], **parameters)


@settings(max_examples=25, deadline=None)
@given(
    transposed=st.booleans(),
    spatial=st.integers(2, 3),
    along=st.sets(st.integers(0, 2), min_size=1),
    kernel=st.tuples(*[st.integers(1, 3)] * 3),
    stride=st.integers(1, 2),
    padding=st.integers(0, 1),
    dilation=st.integers(1, 2),
    groups=st.sampled_from([1, 2]),
    mean=st.booleans(),
    keepdim=st.booleans(),
)
def test_means_along_some_dimensions(
    check, transposed, spatial, along, kernel, stride, padding, dilation, groups, mean, keepdim
):
    dims = tuple(2 + index for index in sorted(along) if index < spatial)
    assume(dims)
    inner, outer = (3 * groups, 2) if transposed else (2 * groups, 3)
    parameters = {
        "weight": torch.randn(inner, outer, *kernel[:spatial]).double(),
        "bias": torch.randn(2 * groups).double(),
    }
    x = torch.randn(2, 3 * groups, *[7, 8, 6][:spatial]).double()
    convolve = (TRANSPOSED if transposed else PLAIN)[spatial - 1]

    def function(x, **p):
        y = convolve(x, **p, stride=stride, padding=padding, dilation=dilation, groups=groups)
        return (torch.mean if mean else torch.sum)(y, dims, keepdim=keepdim)

    check(MeanBeforeConvolution(), function, [x], **parameters)


def test_global_pools_and_means_of_everything(check):
    weight, x = torch.randn(4, 3, 3, 3).double(), torch.randn(2, 3, 6, 6).double()
    for reduce in (
        lambda y: F.adaptive_avg_pool2d(y, 1),
        lambda y: y.mean(),
        lambda y: y.sum((0, 2, 3), keepdim=True),
        lambda y: y.mean((1, -1, -2)),
    ):
        check(
            MeanBeforeConvolution(), lambda x, weight, r=reduce: r(F.conv2d(x, weight, padding=1)), [x], weight=weight
        )


def test_leaves_windows_and_extrema_alone(check):
    weight, x = torch.randn(3, 3, 3, 3).double(), torch.randn(2, 3, 6, 6).double()
    for layer, reduce in (
        (F.conv2d, lambda y: y.amax((2, 3))),
        (F.conv2d, lambda y: F.adaptive_avg_pool2d(y, 2)),
        (F.conv2d, lambda y: y.mean(1)),
        (F.conv_transpose2d, lambda y: y.mean(1)),
    ):
        check(
            MeanBeforeConvolution(),
            lambda x, weight, f=layer, r=reduce: r(f(x, weight)),
            [x],
            times=0,
            weight=weight,
        )


def test_coverage():
    assert covered([Visits(0, 3), Visits(3, 5)], 5)
    assert not covered([Visits(0, 2), Visits(3, 5)], 5)
    assert not covered([Visits(0, 4), Visits(1, 3)], 5)
    assert not covered([Visits(1, 5)], 5)
