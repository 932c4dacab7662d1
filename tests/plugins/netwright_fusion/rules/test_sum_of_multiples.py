"""Sums of multiples of one tensor."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.affine_into_weights import AffineIntoWeights
from netwright_fusion.rules.sum_of_multiples import SumOfMultiples

FACTORS = st.floats(0.1, 4.0)


@settings(max_examples=20, deadline=None)
@given(a=FACTORS, b=FACTORS, sign=st.sampled_from([1, -1]), sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_sums(check, a, b, sign, sizes):
    x, p = torch.randn(*sizes).double(), torch.randn(sizes[-1]).double()
    for function in (
        lambda x, **_: x * (sign * a) + x * (sign * b),
        lambda x, **_: x / (sign * a) - x * (-sign * b),
        lambda x, **_: torch.add(x, x, alpha=b),
        lambda x, **_: x + x * b,
        lambda x, p: (x + p) + x / b,
        lambda x, p: x * a + (x - p),
        lambda x, p: (x + 1.5) + (p + x),
        lambda x, p: (x - p) - x * -b,
    ):
        check(SumOfMultiples(), function, [x], times=1, p=p)


def test_without_a_pass_after_a_layer(check):
    x, weight, bias = torch.randn(3, 4).double(), torch.randn(5, 4).double(), torch.randn(5).double()

    def function(x, weight, bias):
        y = F.linear(x, weight, bias)
        return y * 0.5 + y

    _, applied = check([SumOfMultiples(), AffineIntoWeights()], function, [x], times=2, weight=weight, bias=bias)
    assert sum(each.bytes_removed for each in applied) > 0


@pytest.mark.parametrize(
    "function",
    [
        lambda x, **_: x - x,
        lambda x, **_: x * 2 - x,
        lambda x, **_: x * -0.5 + x,
        lambda x, p: x * p + x,
        lambda x, **_: x * 0 + x,
        lambda x, **_: x * 2 + x.exp(),
        lambda x, **_: x + x[:1],
        lambda x, p: x * -2.0 - (x + p),
        lambda x, **_: x.float() + x,
        lambda x, **_: x.int() + x.int(),
        lambda x, p: (y := x + p) + x + y.exp(),
    ],
)
def test_leaves_others_alone(check, function):
    check(SumOfMultiples(), function, [torch.randn(3, 4).double()], times=0, p=torch.randn(4).double())
