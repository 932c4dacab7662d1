"""Layers of layers."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.layer_of_layer import LinearOfLinear, PointwiseOfConvolution


@settings(max_examples=6, deadline=None)
@given(first=st.booleans(), second=st.booleans())
def test_linear_of_linear(check, first, second):
    parameters = {"w": torch.randn(9, 3).double(), "v": torch.randn(2, 9).double()}
    parameters |= {"b": torch.randn(9).double()} if first else {}
    parameters |= {"c": torch.randn(2).double()} if second else {}
    x = torch.randn(4, 3).double()
    check(
        LinearOfLinear(), lambda x, w, v, b=None, c=None: F.linear(F.linear(x, w, b), v, c), [x], times=1, **parameters
    )


def test_leaves_bottlenecks_and_activations_alone(check):
    x, w, v = torch.randn(4, 9).double(), torch.randn(2, 9).double(), torch.randn(9, 2).double()
    check(LinearOfLinear(), lambda x, w, v: F.linear(F.linear(x, w), v), [x], times=0, w=w, v=v)
    x = torch.randn(4, 2).double()
    check(LinearOfLinear(), lambda x, w, v: F.linear(F.linear(x, v).relu(), w), [x], times=0, w=w, v=v)


@settings(max_examples=6, deadline=None)
@given(transposed=st.booleans(), first=st.booleans(), second=st.booleans())
def test_pointwise_of_convolution(check, transposed, first, second):
    parameters = {
        "w": torch.randn(*((3, 9) if transposed else (9, 3)), 3, 3).double(),
        "v": torch.randn(2, 9, 1, 1).double(),
    }
    parameters |= {"b": torch.randn(9).double()} if first else {}
    parameters |= {"c": torch.randn(2).double()} if second else {}
    x, convolve = torch.randn(2, 3, 6, 6).double(), F.conv_transpose2d if transposed else F.conv2d

    def function(x, w, v, b=None, c=None):
        return F.conv2d(convolve(x, w, b, stride=2, padding=1), v, c)

    check(PointwiseOfConvolution(), function, [x], times=1, **parameters)


def test_leaves_separable_convolutions_alone(check):
    x, w, v = torch.randn(2, 4, 6, 6).double(), torch.randn(4, 1, 3, 3).double(), torch.randn(8, 4, 1, 1).double()
    check(PointwiseOfConvolution(), lambda x, w, v: F.conv2d(F.conv2d(x, w, groups=4), v), [x], times=0, w=w, v=v)
    w = torch.randn(4, 4, 3, 3).double()
    check(PointwiseOfConvolution(), lambda x, w, v: F.conv2d(F.conv2d(x, w), v), [x], times=0, w=w, v=v)
    check(PointwiseOfConvolution(), lambda x, w, v: F.conv2d(F.conv2d(x, w), v, padding=1), [x], times=0, w=w, v=v)
