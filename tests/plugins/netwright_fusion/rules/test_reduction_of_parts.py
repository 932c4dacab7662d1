"""Reductions of what is concatenated or stacked for them."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.graph import is_call
from netwright_fusion.rules.mean_before_convolution import MeanBeforeConvolution
from netwright_fusion.rules.reduction_of_parts import ReductionOfParts

aten = torch.ops.aten


@settings(max_examples=40, deadline=None)
@given(
    reduce=st.sampled_from(["sum", "mean", "amax"]),
    dims=st.sets(st.integers(0, 2), min_size=1),
    dim=st.integers(-3, 2),
    alike=st.booleans(),
    keepdim=st.booleans(),
)
def test_concatenations(check, reduce, dims, dim, alike, keepdim):
    sizes = [[16, 16, 32] for _ in range(3)]
    if not alike:
        sizes[1][dim] = 17
    parts = [torch.randn(each).double() for each in sizes]
    along = dim % 3 in dims
    check(
        ReductionOfParts(),
        lambda *parts: getattr(torch, reduce)(torch.cat(parts, dim), sorted(dims), keepdim=keepdim),
        parts,
        times=int(not along or reduce != "amax"),
    )


@settings(max_examples=40, deadline=None)
@given(
    reduce=st.sampled_from(["sum", "mean", "amin"]),
    dims=st.sets(st.integers(0, 3), min_size=1),
    dim=st.integers(-4, 3),
    keepdim=st.booleans(),
)
def test_stacks(check, reduce, dims, dim, keepdim):
    parts = [torch.randn(16, 16, 16).double() for _ in range(3)]
    along = dim % 4 in dims
    check(
        ReductionOfParts(),
        lambda *parts: getattr(torch, reduce)(torch.stack(parts, dim), sorted(dims), keepdim=keepdim),
        parts,
        times=int(not along or reduce != "amin"),
    )


def test_convolutions_side_by_side(check):
    x, w, v = torch.randn(2, 3, 24, 24).double(), torch.randn(8, 3, 3, 3).double(), torch.randn(16, 3, 1, 1).double()

    def function(x, w, v):
        return F.adaptive_avg_pool2d(torch.cat([F.conv2d(x, w, padding=1), F.conv2d(x, v)], 1), 1)

    graph, _ = check([ReductionOfParts(), MeanBeforeConvolution()], function, [x], w=w, v=v)
    convolutions = [node for node in graph.graph.nodes if is_call(node, aten.conv2d.default)]
    assert [tuple(node.meta["val"].shape[2:]) for node in convolutions] == [(1, 1), (1, 1)]


def test_leaves_others_alone(check):
    x, y = torch.randn(16, 16, 16).double(), torch.randn(16, 16, 16).double()
    for function in (
        lambda x, y: (z := torch.cat([x, y], 1)).sum(1) + z[:, 0],
        lambda x, y: torch.cat([x[:2], y[:2]], 1).sum(1),
        lambda x, y: torch.stack([x] * 9 + [y]).sum(0),
        lambda x, y: torch.cat([x, y], 1).cos().sum(1),
        lambda x, y: torch.cat([x, y], 1).std(1),
    ):
        check(ReductionOfParts(), function, [x, y], times=0)
