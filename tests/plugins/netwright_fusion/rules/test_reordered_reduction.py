"""Reductions of elements in another order."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.reordered_reduction import ReorderedReduction

ORDERS = {
    "sort": lambda x: x.sort(1)[0],
    "descending": lambda x: torch.sort(x, dim=-2, descending=True, stable=True).values,
    "flip": lambda x: x.flip(1),
    "roll": lambda x: x.roll(2, 1),
    "msort": lambda x: torch.msort(x.transpose(0, 1)).transpose(0, 1).flip(1),
}


@settings(max_examples=20, deadline=None)
@given(
    order=st.sampled_from(sorted(ORDERS)),
    dims=st.sampled_from([(1,), (0, 1), (-2, -1), (0, 1, 2)]),
    kind=st.sampled_from([torch.sum, torch.mean, torch.amax, torch.amin]),
    keepdim=st.booleans(),
)
def test_reductions(check, order, dims, kind, keepdim):
    x = torch.randn(3, 5, 4).double()
    _, applied = check(ReorderedReduction(), lambda x: kind(ORDERS[order](x), dims, keepdim=keepdim), [x], times=1)
    assert applied[0].bytes_removed > 0


@settings(max_examples=10, deadline=None)
@given(kind=st.sampled_from([torch.sum, torch.mean, torch.amax, torch.amin]), keepdim=st.booleans())
def test_shuffles(check, kind, keepdim):
    x, rest = torch.randn(2, 8, 4, 6).double(), (-3, -2, -1)
    for function in (
        lambda x: kind(F.channel_shuffle(x, 4), 1, keepdim=keepdim),
        lambda x: kind(F.channel_shuffle(x, 2), rest, keepdim=keepdim),
        lambda x: kind(F.pixel_shuffle(x, 2), rest, keepdim=keepdim),
        lambda x: kind(F.pixel_unshuffle(x, 2), (0, 1, 2, 3), keepdim=keepdim),
    ):
        check(ReorderedReduction(), function, [x], times=1)
    for function in (
        lambda x: kind(F.channel_shuffle(x, 4), (2, 3), keepdim=keepdim),
        lambda x: kind(F.pixel_shuffle(x, 2), (2, 3), keepdim=keepdim),
        lambda x: kind(F.pixel_unshuffle(x, 2), 1, keepdim=keepdim),
    ):
        check(ReorderedReduction(), function, [x], times=0)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.sort(1)[0].sum(2),
        lambda x: x.flip(1, 2).mean(1),
        lambda x: x.roll(1).sum(1),
        lambda x: x.sort(1)[1].sum(1),
        lambda x: x.sort(1)[0].cumsum(1).sum(1),
    ],
)
def test_leaves_others_alone(check, function):
    check(ReorderedReduction(), function, [torch.randn(3, 5, 4).double()], times=0)
