"""Positive factors before normalisations."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.norm_scale import NormScale

NORMS = {
    "instance": lambda x: F.instance_norm(x, eps=1e-2),
    "group": lambda x: F.group_norm(x, 2, eps=1e-2),
    "layer": lambda x: F.layer_norm(x, (5, 6), eps=1e-2),
    "rms": lambda x: F.rms_norm(x, (6,), eps=1e-2),
}


@settings(max_examples=8, deadline=None)
@given(norm=st.sampled_from(sorted(NORMS)), factor=st.floats(0.05, 20), divide=st.booleans())
def test_factors(check, norm, factor, divide):
    x = torch.randn(2, 4, 5, 6).double()
    check(NormScale(), lambda x: NORMS[norm](x / factor if divide else x * factor), [x], times=1)


def test_leaves_other_factors_alone(check):
    x, p = torch.randn(2, 4, 5, 6).double(), torch.rand(()).double()
    for function in (
        lambda x, **_: F.layer_norm(x * -2, (6,)),
        lambda x, p: F.layer_norm(x * p, (6,)),
        lambda x, **_: F.layer_norm(x * 1e-9, (6,)),
        lambda x, **_: F.rms_norm(x * 2, (6,)),
        lambda x, p: F.batch_norm(x * 2, p.expand(4), p.expand(4)),
    ):
        check(NormScale(), function, [x], times=0, p=p)
