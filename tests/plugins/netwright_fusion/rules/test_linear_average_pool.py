"""Linear layers that are averaged in windows."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.linear_average_pool import LinearAveragePool


@settings(max_examples=8, deadline=None)
@given(
    form=st.sampled_from(["unbatched", "unsqueezed", "tokens"]),
    window=st.integers(2, 3),
    padding=st.integers(0, 1),
    ceil=st.booleans(),
    counted=st.booleans(),
    bias=st.booleans(),
)
def test_pools(check, form, window, padding, ceil, counted, bias):
    parameters = {"w": torch.randn(8, 3).double(), **({"b": torch.randn(8).double()} if bias else {})}
    x = torch.randn(2, *([4] if form == "tokens" else []), 3).double()

    def function(x, w, b=None):
        y = F.linear(x, w, b)
        y = y.unsqueeze(1) if form == "unsqueezed" else y
        z = F.avg_pool1d(y, window, padding=padding, ceil_mode=ceil, count_include_pad=counted)
        return z.squeeze(1) if form == "unsqueezed" else z

    _, applied = check(LinearAveragePool(), function, [x], times=1, **parameters)
    assert applied[0].flops_removed > 0


def test_leaves_pools_over_rows_alone(check):
    x, w = torch.randn(2, 4, 3).double(), torch.randn(8, 3).double()
    check(LinearAveragePool(), lambda x, w: F.avg_pool1d(F.linear(x, w).transpose(1, 2), 2), [x], times=0, w=w)
    check(LinearAveragePool(), lambda x, w: F.avg_pool1d(F.linear(x, w).relu(), 2), [x], times=0, w=w)
    check(LinearAveragePool(), lambda x, w: F.max_pool1d(F.linear(x, w), 2), [x], times=0, w=w)
