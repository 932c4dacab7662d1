"""Sums of layers of one input."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.sum_of_layers import SumOfLayers


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
