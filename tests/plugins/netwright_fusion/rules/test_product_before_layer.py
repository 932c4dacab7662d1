"""Products among what a layer takes."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.product_before_layer import ProductBesideOthers, ProductPlusOthers


@settings(max_examples=12, deadline=None)
@given(first=st.booleans(), batch=st.booleans(), biased=st.booleans(), third=st.booleans())
def test_neighbours_beside_a_node_itself(check, first, batch, biased, third):
    a, x = torch.randn(*((2,) if batch else ()), 60, 60).double(), torch.randn(2, 60, 80).double()
    parameters = {"w": torch.randn(3, 240 if third else 160).double()}
    parameters |= {"b": torch.randn(3).double()} if biased else {}

    def function(a, x, w, b=None):
        parts = [x, a @ x] if first else [a @ x, x]
        return F.linear(torch.cat([*parts, x.cos()] if third else parts, -1), w, b)

    _, applied = check(ProductBesideOthers(), function, [a, x], times=1, **parameters)
    assert applied[0].flops_removed > 0


@settings(max_examples=12, deadline=None)
@given(first=st.booleans(), minus=st.booleans(), batch=st.booleans(), biased=st.booleans())
def test_neighbours_added_to_a_node_itself(check, first, minus, batch, biased):
    a, x = torch.randn(*((2,) if batch else ()), 90, 90).double(), torch.randn(2, 90, 80).double()
    parameters = {"w": torch.randn(3, 80).double()} | ({"b": torch.randn(3).double()} if biased else {})

    def function(a, x, w, b=None):
        one, other = (a @ x, x.cos()) if first else (x.cos(), a @ x)
        return F.linear(one - other if minus else one + other, w, b)

    _, applied = check(ProductPlusOthers(), function, [a, x], times=1, **parameters)
    assert applied[0].flops_removed > 0


def test_leaves_other_sums_alone(check):
    a, x, w = torch.randn(90, 90).double(), torch.randn(90, 80).double(), torch.randn(3, 80).double()
    for function in (
        lambda a, x, w: F.linear(x + (a @ x).relu(), w),
        lambda a, x, w: F.linear(x + (y := a @ x), w).sum() + y,
        lambda a, x, w: F.linear(y := x + a @ x, w).sum() + y,
        lambda a, x, w: F.linear(x[:1] + a @ x, w),
        lambda a, x, w: F.linear(torch.add(x, a @ x, alpha=2), w),
        lambda a, x, w: F.linear(x + a @ x, w.repeat(40, 1)),
    ):
        check(ProductPlusOthers(), function, [a, x], times=0, w=w)


def test_leaves_other_concatenations_alone(check):
    a, x, w = torch.randn(60, 60).double(), torch.randn(60, 80).double(), torch.randn(3, 160).double()
    for function in (
        lambda a, x, w: F.linear(torch.cat([x, (a @ x).relu()], 1), w),
        lambda a, x, w: F.linear(torch.cat([x, y := a @ x], 1), w).sum() + y,
        lambda a, x, w: F.linear(torch.cat([x[:, :20], a @ x[:, :60], x], 1), w.repeat(40, 1)),
        lambda a, x, w: F.linear(torch.cat([x, a @ x], 0), w[:, :80]),
    ):
        check(ProductBesideOthers(), function, [a, x], times=0, w=w)
