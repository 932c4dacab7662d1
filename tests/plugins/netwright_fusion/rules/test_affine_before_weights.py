"""Scales and shifts that go into the weights of the layer behind them."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.affine_before_weights import AffineBeforeWeights


@settings(max_examples=14, deadline=None)
@given(
    layer=st.sampled_from(["linear", "conv"]),
    operation=st.sampled_from(["mul", "div", "add", "sub"]),
    operand=st.sampled_from([2.5, -0.5, "channels"]),
    bias=st.booleans(),
)
def test_folds(check, layer, operation, operand, bias):
    x = torch.randn(2, 3, *([] if layer == "linear" else [5, 5])).double()
    weight = torch.randn(*((4, 3) if layer == "linear" else (4, 3, 3, 3))).double()
    parameters = {"weight": weight, **({"bias": torch.randn(4).double()} if bias else {})}
    if operand == "channels":
        parameters["operand"] = torch.rand((3,) if layer == "linear" else (3, 1, 1)).double() + 0.5

    def function(x, weight, bias=None, operand=operand):
        return (F.linear if layer == "linear" else F.conv2d)(getattr(torch, operation)(x, operand), weight, bias)

    check(AffineBeforeWeights(), function, [x], times=1, **parameters)


def test_padding_takes_scales_only(check):
    weight, x = torch.randn(4, 3, 3, 3).double(), torch.randn(2, 3, 5, 5).double()
    check(AffineBeforeWeights(), lambda x, weight: F.conv2d(x + 1, weight, padding=1), [x], times=0, weight=weight)
    check(AffineBeforeWeights(), lambda x, weight: F.conv2d(x * 3, weight, padding=1), [x], times=1, weight=weight)
    weight = torch.randn(3, 4, 3, 3).double()
    check(AffineBeforeWeights(), lambda x, weight: F.conv_transpose2d(x / 3, weight), [x], times=1, weight=weight)
