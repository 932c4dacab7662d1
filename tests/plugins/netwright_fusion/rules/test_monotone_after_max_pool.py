"""Increasing functions moved behind maxima."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.monotone_after_max_pool import MonotoneAfterMaxPool

FUNCTIONS = {
    "relu": F.relu,
    "relu6": F.relu6,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "hardtanh": F.hardtanh,
    "leaky": F.leaky_relu,
    "elu": F.elu,
    "celu": F.celu,
    "selu": F.selu,
    "softplus": F.softplus,
    "clamp": lambda x: torch.clamp(x, -0.3, 0.6),
    "affine": lambda x: x * 2.5,
    "shift": lambda x: x - 0.5,
    "hardsigmoid": F.hardsigmoid,
    "logsigmoid": F.logsigmoid,
}


@settings(max_examples=20, deadline=None)
@given(function=st.sampled_from(sorted(FUNCTIONS)), padding=st.integers(0, 1), stride=st.integers(2, 3))
def test_max_pools(check, function, padding, stride):
    x = torch.randn(2, 3, 7, 7).double() * 3
    check(MonotoneAfterMaxPool(), lambda x: F.max_pool2d(FUNCTIONS[function](x), 3, stride, padding), [x], times=1)


def test_extrema_and_channels(check):
    x, p = torch.randn(2, 3, 7, 7).double() * 3, torch.randn(3, 1, 1).double()
    check(MonotoneAfterMaxPool(), lambda x: torch.amin(torch.tanh(x), (2, 3)), [x], times=1)
    check(MonotoneAfterMaxPool(), lambda x, p: F.max_pool2d(x + p, 2), [x], times=1, p=p)


def test_leaves_other_functions_alone(check):
    x, p = torch.randn(2, 3, 7, 7).double(), torch.randn(3, 1, 1).double()
    for function in (
        lambda x, **_: F.max_pool2d(F.gelu(x), 2),
        lambda x, **_: F.max_pool2d(x * -1.0, 2),
        lambda x, p: F.max_pool2d(x * p, 2),
        lambda x, **_: F.max_pool2d(x.abs(), 2),
        lambda x, **_: F.max_pool2d(F.leaky_relu(x, -0.1), 2),
        lambda x, **_: F.max_pool2d(x.relu(), 2, dilation=3),
        lambda x, **_: F.avg_pool2d(x.relu(), 2),
    ):
        check(MonotoneAfterMaxPool(), function, [x], times=0, p=p)
