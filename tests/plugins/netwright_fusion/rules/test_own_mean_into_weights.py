"""Layers less their own means."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.own_mean_into_weights import OwnMeanIntoWeights

LAYERS = {
    "linear": (F.linear, (2, 3), (4, 3)),
    "rows": (F.linear, (2, 5, 3), (4, 3)),
    "conv": (F.conv2d, (2, 3, 5, 5), (4, 3, 3, 3)),
    "transposed": (F.conv_transpose3d, (2, 3, 2, 3, 2), (3, 4, 2, 2, 2)),
}


@settings(max_examples=20, deadline=None)
@given(
    layer=st.sampled_from(sorted(LAYERS)),
    kind=st.sampled_from([torch.mean, torch.sum]),
    combine=st.sampled_from([torch.sub, torch.add]),
    first=st.booleans(),
    biased=st.booleans(),
)
def test_own_means(check, layer, kind, combine, first, biased):
    function, sizes, weights = LAYERS[layer]
    x, dim = torch.randn(*sizes).double(), -1 if function is F.linear else 1
    parameters = {"w": torch.randn(*weights).double()} | ({"b": torch.randn(4).double()} if biased else {})

    def both(x, w, b=None):
        y = function(x, w, b)
        own = kind(y, dim, keepdim=True)
        return combine(y, own) if first else combine(own, y)

    _, applied = check(OwnMeanIntoWeights(), both, [x], times=1, **parameters)
    assert applied[0].bytes_removed > 0


@pytest.mark.parametrize(
    "function",
    [
        lambda x, w: (y := F.conv2d(x, w)) - y.mean((2, 3), keepdim=True),
        lambda x, w: (y := F.conv2d(x, w)) - y.mean((1, 2, 3), keepdim=True),
        lambda x, w: (y := F.conv2d(x, w)) - y.amax(1, keepdim=True),
        lambda x, w: (y := F.conv2d(x, w)) - (m := y.mean(1, keepdim=True)) * m,
        lambda x, w: ((y := F.conv2d(x, w)) - y.mean(1, keepdim=True)) * y.exp(),
        lambda x, w: (y := F.conv2d(x, w).relu()) - y.mean(1, keepdim=True),
        lambda x, w: (y := F.conv2d(x, w)) * y.mean(1, keepdim=True),
        lambda x, w: (y := F.conv2d(torch.cat((x, x), 1), w, groups=2)) - y.mean(1, keepdim=True),
        lambda x, w: (y := F.conv2d(x, w[:1])) - y.mean(1, keepdim=True),
    ],
)
def test_leaves_others_alone(check, function):
    x, w = torch.randn(2, 3, 5, 5).double(), torch.randn(4, 3, 3, 3).double()
    check(OwnMeanIntoWeights(), function, [x], times=0, w=w)
