"""Convolutions of enlarged images."""

import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.upsampled_convolution import ConvolutionOfUpsampling, PointwiseBeforeUpsampling

CONVOLVE = (F.conv1d, F.conv2d, F.conv3d)
SMOOTH = {1: "linear", 2: "bilinear", 3: "trilinear"}


@settings(max_examples=20, deadline=None)
@given(
    spatial=st.integers(1, 3),
    kernel=st.integers(2, 5),
    padding=st.integers(0, 3),
    factor=st.integers(2, 4),
    size=st.integers(2, 4),
    exact=st.booleans(),
    bias=st.booleans(),
)
def test_repeated_pixels(check, spatial, kernel, padding, factor, size, exact, bias):
    assume(padding < kernel and size * factor + 2 * padding >= kernel)
    parameters = {"weight": torch.randn(4, 3, *[kernel] * spatial).double()}
    if bias:
        parameters["bias"] = torch.randn(4).double()
    x = torch.randn(2, 3, *[size] * spatial).double()
    mode = "nearest-exact" if exact else "nearest"

    def function(x, **p):
        return CONVOLVE[spatial - 1](F.interpolate(x, scale_factor=factor, mode=mode), **p, padding=padding)

    _, applied = check(ConvolutionOfUpsampling(), function, [x], times=1, **parameters)
    outputs = 2 * 4 * (size * factor + 2 * padding - kernel + 1) ** spatial
    left = 2 * 3 * size**spatial * 4 * (kernel + factor - 1) ** spatial
    assert applied[0].flops_removed == 2 * (outputs * 3 * kernel**spatial - left)


def test_different_factors(check):
    x, weight = torch.randn(2, 3, 4, 5).double(), torch.randn(4, 3, 3, 1).double()

    def function(x, weight):
        return F.conv2d(F.interpolate(x, size=(8, 15)), weight, padding=(1, 0))

    check(ConvolutionOfUpsampling(), function, [x], times=1, weight=weight)


def test_leaves_other_convolutions_alone(check):
    x, weight, narrow = (torch.randn(*sizes).double() for sizes in ((2, 4, 4, 4), (4, 4, 3, 3), (4, 2, 3, 3)))
    for function in (
        lambda x, weight, **_: F.conv2d(F.interpolate(x, scale_factor=2, mode="bilinear"), weight),
        lambda x, weight, **_: F.conv2d(F.interpolate(x, size=(6, 6)), weight),
        lambda x, weight, **_: F.conv2d(F.interpolate(x, scale_factor=2), weight, stride=2),
        lambda x, narrow, **_: F.conv2d(F.interpolate(x, scale_factor=2), narrow, groups=2),
        lambda x, weight, **_: F.conv2d(F.interpolate(x, scale_factor=2), weight, padding=3),
        lambda x, weight, **_: F.conv2d(y := F.interpolate(x, scale_factor=2), weight).sum() + y,
    ):
        check(ConvolutionOfUpsampling(), function, [x], times=0, weight=weight, narrow=narrow)


@settings(max_examples=12, deadline=None)
@given(spatial=st.integers(1, 3), factor=st.floats(1.3, 3), smooth=st.booleans(), groups=st.sampled_from([1, 2]))
def test_pointwise(check, spatial, factor, smooth, groups):
    x = torch.randn(2, 4, *[4] * spatial).double()
    parameters = {"weight": torch.randn(6, 4 // groups, *[1] * spatial).double(), "bias": torch.randn(6).double()}
    mode = SMOOTH[spatial] if smooth else "nearest"

    def function(x, **p):
        return CONVOLVE[spatial - 1](F.interpolate(x, scale_factor=factor, mode=mode), **p, groups=groups)

    _, applied = check(PointwiseBeforeUpsampling(), function, [x], times=1, **parameters)
    assert applied[0].flops_removed > 0


def test_leaves_shrunk_and_shared_images_alone(check):
    x, weight = torch.randn(2, 4, 6, 6).double(), torch.randn(3, 4, 1, 1).double()
    for function in (
        lambda x, weight: F.conv2d(F.interpolate(x, size=(3, 3)), weight),
        lambda x, weight: F.conv2d(y := F.interpolate(x, scale_factor=2), weight).sum() + y,
        lambda x, weight: F.conv2d(F.interpolate(x, scale_factor=2), weight, stride=2),
        lambda x, weight: F.conv2d(F.interpolate(x[:, :1], scale_factor=2), weight.repeat(2, 1, 1, 1)[:, :1]),
    ):
        check(PointwiseBeforeUpsampling(), function, [x], times=0, weight=weight)
