"""Sums of elementwise products as matrix products."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright_fusion.rules.sum_of_products import SumOfProducts

ROLES = ["summed", "both", "first", "second"]


@settings(max_examples=30, deadline=None)
@given(
    some=st.sampled_from(["first", "second"]),
    others=st.lists(st.sampled_from(ROLES), min_size=2, max_size=2),
    order=st.permutations(range(4)),
    mean=st.booleans(),
    keepdim=st.booleans(),
)
def test_broadcast_products(check, some, others, order, mean, keepdim):
    roles = [["summed", some, *others][index] for index in order]
    sizes = (5, 4, 6, 7)
    first = [1 if role == "second" else size for size, role in zip(sizes, roles, strict=True)]
    second = [1 if role == "first" else size for size, role in zip(sizes, roles, strict=True)]
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
    ):
        check(SumOfProducts(), function, [x, scores], times=0, w=w)
