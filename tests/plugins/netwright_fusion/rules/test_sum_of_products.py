"""Sums of elementwise products as matrix products."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright_fusion.rules.sum_of_products import SumOfProducts

LEFT, RIGHT = ("batch", "rows", "summed"), ("batch", "summed", "columns")


@settings(max_examples=30, deadline=None)
@given(
    left=st.permutations(LEFT),
    columns=st.integers(0, 3),
    sizes=st.fixed_dictionaries({kind: st.integers(1, 2) for kind in ("batch", "rows", "summed", "columns")}),
    without=st.sampled_from([(), ("batch",), ("rows",), ("columns",), ("batch", "rows"), ("batch", "columns")]),
    mean=st.booleans(),
    keepdim=st.booleans(),
)
def test_broadcast_products(check, left, columns, sizes, without, mean, keepdim):
    order = [*left[:columns], "columns", *left[columns:]]
    roles = [role for role in order if role not in without for _ in range(sizes[role])]
    counts = [5 + index for index in range(len(roles))]
    first = [1 if role == "columns" else count for count, role in zip(counts, roles, strict=True)]
    second = [1 if role == "rows" else count for count, role in zip(counts, roles, strict=True)]
    dims = tuple(dim for dim, role in enumerate(roles) if role == "summed")
    reduce = torch.mean if mean else torch.sum
    inputs = [torch.randn(first).double(), torch.randn(second).double()]
    _, applied = check(SumOfProducts(), lambda x, y: reduce(x * y, dims, keepdim=keepdim), inputs, times=1)
    assert applied[0].bytes_removed > 0


def test_as_people_write_it(check):
    x, scores, w = torch.randn(3, 7, 5).double(), torch.randn(3, 7).double(), torch.randn(5).double()
    for function in (
        lambda x, scores, **_: (scores.unsqueeze(-1) * x).sum(1),
        lambda x, scores, **_: (x * scores.softmax(1)[..., None].expand_as(x)).sum(dim=1, keepdim=True),
        lambda x, *_, w: torch.sum(x.cos() * w, -1),
        lambda x, *_, **__: (x[:, :, None] * x[:, None]).mean(-1),
        lambda x, *_, w: (w * x.transpose(0, 1)).sum(2, keepdim=True),
    ):
        check(SumOfProducts(), function, [x, scores], times=1, w=w)


def test_leaves_other_sums_alone(check):
    x, scores, w = torch.randn(3, 7, 5).double(), torch.randn(3, 7).double(), torch.randn(5).double()
    for function in (
        lambda x, *_, **__: (x * x.cos()).sum(-1),
        lambda x, scores, **_: (scores.unsqueeze(-1) * x).sum(2),
        lambda x, scores, **_: (scores.unsqueeze(-1) * x).amax(1),
        lambda x, *_, w: (y := x * w).sum(-1, keepdim=True) + y,
        lambda x, scores, **_: (x[:, :2] * scores[:, :2, None]).sum(1),
        lambda x, *_, **__: (x * 2).sum(1),
        lambda x, *_, w: (x.transpose(1, 2) * w[:, None]).sum(1),
    ):
        check(SumOfProducts(), function, [x, scores], times=0, w=w)
