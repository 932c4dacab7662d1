"""Linear, then sum or mean over outputs."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.linear_sum import LinearSum


@settings(max_examples=8, deadline=None)
@given(
    batch=st.integers(1, 4),
    tokens=st.integers(1, 3),
    inner=st.integers(1, 6),
    outer=st.integers(2, 6),
    dims=st.sampled_from([(-1,), (2,), (1, 2), (0, -1), (0, 1, 2)]),
    keepdim=st.booleans(),
    mean=st.booleans(),
    bias=st.booleans(),
)
def test_sums_of_outputs(check, batch, tokens, inner, outer, dims, keepdim, mean, bias):
    reduce = torch.mean if mean else torch.sum
    parameters = {"weight": torch.randn(outer, inner).double()}
    if bias:
        parameters["bias"] = torch.randn(outer).double()
    x = torch.randn(batch, tokens, inner).double()
    _, applied = check(LinearSum(), lambda x, **p: reduce(F.linear(x, **p), dims, keepdim=keepdim), [x], **parameters)
    assert applied[0].flops_removed == 2 * batch * tokens * inner * (outer - 1)


def test_leaves_what_is_used_elsewhere_alone(check):
    weight, x = torch.randn(4, 3).double(), torch.randn(2, 3).double()
    check(LinearSum(), lambda x, weight: ((y := F.linear(x, weight)).sum(1), y), [x], times=0, weight=weight)


def test_leaves_other_reductions_alone(check):
    weight, x = torch.randn(4, 3).double(), torch.randn(2, 3).double()
    check(LinearSum(), lambda x, weight: F.linear(x, weight).sum(0), [x], times=0, weight=weight)
    check(LinearSum(), lambda x, weight: F.linear(x, weight).amax(1), [x], times=0, weight=weight)
    check(LinearSum(), lambda x, weight: F.linear(x, weight[:1]).sum(1), [x], times=0, weight=weight)
