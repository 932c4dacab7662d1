"""Scales and shifts that go into the weights of the layer before them."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.affine_into_weights import AffineIntoWeights

OPERATIONS = {
    "mul": lambda y, p: y * p,
    "reversed mul": lambda y, p: p * y,
    "div": lambda y, p: y / p,
    "add": lambda y, p: y + p,
    "sub": lambda y, p: y - p,
}


@settings(max_examples=16, deadline=None)
@given(
    layer=st.sampled_from(["linear", "conv", "transposed"]),
    operation=st.sampled_from(sorted(OPERATIONS)),
    operand=st.sampled_from([2.5, -0.5, "channels", "one", "scalar"]),
    bias=st.booleans(),
)
def test_folds(check, layer, operation, operand, bias):
    x = torch.randn(2, 3, *([] if layer == "linear" else [5, 5])).double()
    weight = torch.randn(*{"linear": (4, 3), "conv": (4, 3, 3, 3), "transposed": (3, 4, 3, 3)}[layer]).double()
    parameters = {"weight": weight, **({"bias": torch.randn(4).double()} if bias else {})}
    tail = (4,) if layer == "linear" else (4, 1, 1)
    shapes = {"channels": tail, "one": (1,), "scalar": ()}
    if isinstance(operand, str):
        parameters["operand"] = torch.rand(shapes[operand]).double() + 0.5

    def function(x, weight, bias=None, operand=operand):
        y = {"linear": F.linear, "conv": F.conv2d, "transposed": F.conv_transpose2d}[layer](x, weight, bias)
        return OPERATIONS[operation](y, operand)

    check(AffineIntoWeights(), function, [x], times=1, **parameters)


def test_leaves_activations_and_positions_alone(check):
    weight, x = torch.randn(4, 3, 3, 3).double(), torch.randn(2, 3, 5, 5).double()
    for function in (
        lambda x, weight: F.conv2d(x, weight) * x.mean(),
        lambda x, weight: F.conv2d(x, weight) * weight[0, 0, 0],
        lambda x, weight: F.conv2d(x, weight) * 0.0,
        lambda x, weight: F.conv2d(x, weight).relu() * 2,
        lambda x, weight: (y := F.conv2d(x, weight)) * 2 + y,
    ):
        check(AffineIntoWeights(), function, [x], times=0, weight=weight)


def test_a_wider_number_in_a_tensor_widens_no_layer(check):
    x, w, s = torch.randn(3, 4), torch.randn(5, 4), torch.tensor(2.0, dtype=torch.float64)
    check(AffineIntoWeights(), lambda x, w, s: F.linear(x, w) * s, [x], times=0, finite=True, w=w, s=s)
