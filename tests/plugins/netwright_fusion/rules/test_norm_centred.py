"""Normalisations less their own means."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.norm_centred import NormCentred


@settings(max_examples=10, deadline=None)
@given(spatial=st.integers(1, 3), size=st.integers(2, 5), affine=st.booleans())
def test_per_channel(check, spatial, size, affine):
    x, dims = torch.randn(2, 4, *[size] * spatial).double() * 3 + 1, tuple(range(2, 2 + spatial))
    parameters = {"weight": torch.randn(4).double(), "bias": torch.randn(4).double()} if affine else {}

    def instance(x, weight=None, bias=None):
        y = F.instance_norm(x, weight=weight, bias=bias)
        return y - y.mean(dims, keepdim=True)

    def group(x, weight=None, bias=None):
        y = F.group_norm(x, 4, weight, bias)
        return y - y.mean(dims, keepdim=True)

    for function in (instance, group):
        _, applied = check(NormCentred(), function, [x], times=1, **parameters)
        assert applied[0].bytes_removed > 0


@settings(max_examples=10, deadline=None)
@given(spatial=st.integers(1, 3), groups=st.sampled_from([1, 2]))
def test_without_parameters(check, spatial, groups):
    x = torch.randn(2, 4, *[3] * spatial).double()
    rest = tuple(range(1, 2 + spatial))
    check(NormCentred(), lambda x: (y := F.layer_norm(x, (3,))) - y.mean(-1, keepdim=True), [x], times=1)
    if groups == 1:
        check(NormCentred(), lambda x: (y := F.group_norm(x, 1)) - y.mean(rest, keepdim=True), [x], times=1)
    check(NormCentred(), lambda x: (y := F.group_norm(x, 2)) - y.mean(rest[1:], keepdim=True), [x], times=0)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, w: (y := F.layer_norm(x, (4,), w)) - y.mean(-1, keepdim=True),
        lambda x, w: (y := F.layer_norm(x, (4,), None, w)) - y.mean(-1, keepdim=True),
        lambda x, w: (y := F.group_norm(x, 1, w)) - y.mean((1, 2, 3), keepdim=True),
        lambda x, w: (y := F.instance_norm(x, weight=w)) - y.mean(2, keepdim=True),
        lambda x, w: (y := F.instance_norm(x, weight=w)) - y.mean((1, 2, 3), keepdim=True),
        lambda x, w: (y := F.instance_norm(x, w, w.abs(), use_input_stats=False)) - y.mean((2, 3), keepdim=True),
        lambda x, **_: (y := F.instance_norm(x)).mean((2, 3), keepdim=True) - y,
        lambda x, **_: (y := F.instance_norm(x)) - y.amax((2, 3), keepdim=True),
        lambda x, **_: (y := F.instance_norm(x)) - (m := y.mean((2, 3), keepdim=True)) * m,
        lambda x, **_: ((y := F.instance_norm(x)) - y.mean((2, 3), keepdim=True)) * y.exp(),
        lambda x, **_: (y := F.softmax(x, 2)) - y.mean(2, keepdim=True),
    ],
)
def test_leaves_others_alone(check, function):
    x, w = torch.randn(2, 4, 4, 4).double(), torch.randn(4).double()
    check(NormCentred(), function, [x], times=0, w=w)
