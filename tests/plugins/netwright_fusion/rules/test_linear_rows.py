"""Sums over rows moved before a linear layer."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.linear_rows import LinearRows


@settings(max_examples=6, deadline=None)
@given(
    sizes=st.tuples(*[st.integers(2, 4)] * 4),
    dims=st.sampled_from([(1,), (-2,), (0, 1)]),
    keepdim=st.booleans(),
    mean=st.booleans(),
    bias=st.booleans(),
)
def test_sums_of_rows(check, sizes, dims, keepdim, mean, bias):
    batch, tokens, inner, outer = sizes
    reduce = torch.mean if mean else torch.sum
    parameters = {"weight": torch.randn(outer, inner).double()}
    if bias:
        parameters["bias"] = torch.randn(outer).double()
    x = torch.randn(batch, tokens, inner).double()
    check(LinearRows(), lambda x, **p: reduce(F.linear(x, **p), dims, keepdim=keepdim), [x], **parameters)


def test_leaves_sums_over_outputs_alone(check):
    weight, x = torch.randn(4, 3).double(), torch.randn(2, 5, 3).double()
    check(LinearRows(), lambda x, weight: F.linear(x, weight).sum(2), [x], times=0, weight=weight)
    check(LinearRows(), lambda x, weight: F.linear(x, weight).amax(1), [x], times=0, weight=weight)
