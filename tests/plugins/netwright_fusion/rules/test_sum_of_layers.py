"""Sums of layers of one input."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.sum_of_layers import ResidualIntoWeights, SumOfLayers


@settings(max_examples=10, deadline=None)
@given(
    layer=st.sampled_from(["linear", "conv", "transposed"]),
    subtract=st.booleans(),
    biases=st.tuples(st.booleans(), st.booleans()),
)
def test_sums(check, layer, subtract, biases):
    x = torch.randn(2, 3, *([] if layer == "linear" else [5, 5])).double()
    sizes = {"linear": (4, 3), "conv": (4, 3, 3, 3), "transposed": (3, 4, 3, 3)}[layer]
    function = {"linear": F.linear, "conv": F.conv2d, "transposed": F.conv_transpose2d}[layer]
    parameters = {"w": torch.randn(*sizes).double(), "v": torch.randn(*sizes).double()}
    parameters |= {name: torch.randn(4).double() for name, given in zip("bc", biases, strict=True) if given}

    def both(x, w, v, b=None, c=None):
        return (torch.sub if subtract else torch.add)(function(x, w, b), function(x, v, c))

    check(SumOfLayers(), both, [x], times=1, **parameters)


def test_leaves_different_layers_alone(check):
    x, y, w = torch.randn(2, 3, 5, 5).double(), torch.randn(2, 3, 5, 5).double(), torch.randn(4, 3, 3, 3).double()
    parameters = {"w": w, "v": w.clone()}
    for function in (
        lambda x, y, w, v: F.conv2d(x, w) + F.conv2d(y, v),
        lambda x, _, w, v: F.conv2d(x, w, padding=2, dilation=2) + F.conv2d(x, v, padding=1),
        lambda x, _, w, v: F.conv2d(x, w) * F.conv2d(x, v),
        lambda x, _, w, v: F.conv2d(x, w) + F.conv2d(x, v).relu(),
    ):
        check(SumOfLayers(), function, [x, y], times=0, **parameters)


@settings(max_examples=20, deadline=None)
@given(
    spatial=st.integers(1, 2),
    kernels=st.tuples(st.sampled_from([1, 3, 5]), st.sampled_from([1, 3, 5])),
    more=st.integers(0, 1),
    stride=st.integers(1, 2),
    groups=st.sampled_from([1, 2]),
)
def test_kernels_of_different_sizes(check, spatial, kernels, more, stride, groups):
    x = torch.randn(2, 4, *[7] * spatial).double()
    parameters = {
        name: torch.randn(6, 4 // groups, *[size] * spatial).double() for name, size in zip("wv", kernels, strict=True)
    }

    def both(x, w, v):
        convolve = (F.conv1d, F.conv2d)[spatial - 1]
        paddings = [size // 2 + more for size in kernels]
        return convolve(x, w, None, stride, paddings[0], 1, groups) + convolve(
            x, v, None, stride, paddings[1], 1, groups
        )

    _, applied = check(SumOfLayers(), both, [x], times=1, **parameters)
    outputs = ((7 + 2 * more - 1) // stride + 1) ** spatial
    assert applied[0].flops_removed == 2 * 2 * outputs * 6 * (4 // groups) * min(kernels) ** spatial


def test_leaves_crossed_kernels_alone(check):
    x, w, v = torch.randn(2, 3, 9, 9).double(), torch.randn(4, 3, 1, 7).double(), torch.randn(4, 3, 7, 1).double()
    for function in (
        lambda x, w, v: F.conv2d(x, w, padding=(0, 3)) + F.conv2d(x, v, padding=(3, 0)),
        lambda x, w, v: F.conv2d(x, w, padding=(3, 3)) + F.conv2d(x, v, padding=(6, 0)),
    ):
        check(SumOfLayers(), function, [x], times=0, w=w, v=v)


@settings(max_examples=20, deadline=None)
@given(
    spatial=st.integers(0, 2),
    kernel=st.sampled_from([1, 3, 5]),
    dilation=st.integers(1, 2),
    how=st.sampled_from(["plus", "to", "minus", "from"]),
    bias=st.booleans(),
)
def test_residuals(check, spatial, kernel, dilation, how, bias):
    x = torch.randn(2, 4, *[6] * spatial).double()
    parameters = {"w": torch.randn(4, 4, *[kernel] * spatial).double()}
    if bias:
        parameters["b"] = torch.randn(4).double()

    def function(x, w, b=None):
        if spatial:
            y = (F.conv1d, F.conv2d)[spatial - 1](x, w, b, 1, dilation * (kernel // 2), dilation)
        else:
            y = F.linear(x, w, b)
        return {"plus": y + x, "to": x + y, "minus": y - x, "from": x - y}[how]

    _, applied = check(ResidualIntoWeights(), function, [x], times=1, **parameters)
    assert applied[0].bytes_removed > 0


def test_leaves_other_residuals_alone(check):
    x, w, v = torch.randn(2, 4, 6, 6).double(), torch.randn(4, 4, 2, 2).double(), torch.randn(4, 1, 3, 3).double()
    for function in (
        lambda x, w, **_: F.conv2d(F.pad(x, (1, 0, 1, 0)), w) + x,
        lambda x, v, **_: F.conv2d(x, v, padding=1, groups=4) + x,
        lambda x, v, **_: F.conv2d(x, v.expand(4, 4, 3, 3), padding=1) * x,
        lambda x, v, **_: F.conv2d(x, v.expand(4, 4, 3, 3)) + x[:, :, 1:-1, 1:-1],
        lambda x, v, **_: (y := F.conv2d(x, v.expand(4, 4, 3, 3), padding=1)) + x + y.sum(),
    ):
        check(ResidualIntoWeights(), function, [x], times=0, w=w, v=v)
