"""Means and sums of group norms from statistics."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.group_norm_mean import GroupNormMean


@settings(max_examples=10, deadline=None)
@given(
    spatial=st.integers(1, 3),
    groups=st.sampled_from([1, 2, 3]),
    dims=st.sampled_from(["spatial", "channels", "all"]),
    keepdim=st.booleans(),
    affine=st.booleans(),
    kind=st.sampled_from([torch.mean, torch.sum]),
)
def test_means(check, spatial, groups, dims, keepdim, affine, kind):
    x = torch.randn(2, 6, *[4] * spatial).double()
    first = {"spatial": 2, "channels": 1, "all": 0}[dims]
    parameters = {"weight": torch.randn(6).double(), "bias": torch.randn(6).double()} if affine else {}

    def function(x, weight=None, bias=None):
        return kind(F.group_norm(x, groups, weight, bias), tuple(range(first, spatial + 2)), keepdim=keepdim)

    check(GroupNormMean(), function, [x], times=1, **parameters)


def test_leaves_other_means_alone(check):
    x = torch.randn(2, 6, 4, 4).double()
    check(GroupNormMean(), lambda x: F.group_norm(x, 2).mean(3), [x], times=0)
    check(GroupNormMean(), lambda x: F.group_norm(x, 6).mean((2, 3)), [x], times=0)
    check(GroupNormMean(), lambda x: F.group_norm(x, 2).amax((2, 3)), [x], times=0)
