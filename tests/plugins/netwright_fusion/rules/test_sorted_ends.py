"""A few of sorted values."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.sorted_ends import LONGEST, SHARE, SortedEnds

INFINITY, NAN = float("inf"), float("nan")


def same(one, other):
    return torch.equal(one.isnan(), other.isnan()) and torch.equal(one.nan_to_num(), other.nan_to_num())


@settings(max_examples=40, deadline=None)
@given(
    picked=st.sampled_from([slice(0, 1), slice(0, 3), slice(-1, None), slice(-3, None), slice(1, 3), slice(-4, -1), 2]),
    dim=st.integers(-3, 2),
    descending=st.booleans(),
    stable=st.sampled_from([None, True]),
    share=st.floats(0, 0.4),
    seed=st.integers(0, 99),
)
def test_same_values_in_the_same_order(sketch, picked, dim, descending, stable, share, seed):
    torch.manual_seed(seed)
    sizes = [2, 3, 5]
    sizes[dim] = SHARE * 4
    x = torch.randn(sizes).double()
    for special in (NAN, INFINITY, -INFINITY):
        x[torch.rand(sizes) < share] = special
    index = [slice(None)] * 3
    index[dim] = picked

    def function(x):
        return torch.sort(x, stable=stable, dim=dim, descending=descending)[0][tuple(index)]

    graph = sketch(function, {}, [x])
    assert len(apply_rules(graph, [SortedEnds()], training=False)) == 1
    assert same(graph(x), function(x))


@pytest.mark.parametrize("descending", [True, False])
def test_all_combinations_of_special_values(sketch, descending):
    kinds = torch.tensor([0.0, 1.0, -2.0, INFINITY, -INFINITY, NAN])
    x = torch.cartesian_prod(kinds, kinds, kinds, kinds).repeat(1, 2 * SHARE)
    for picked in (slice(0, 1), slice(0, 8), slice(-1, None), slice(-8, None), slice(2, 5), slice(-6, -2, 2)):

        def function(x, picked=picked):
            return x.sort(dim=1, descending=descending)[0][:, picked]

        graph = sketch(function, {}, [x])
        assert apply_rules(graph, [SortedEnds()], training=False)
        assert same(graph(x), function(x)), picked


def test_one_in_the_middle(check):
    x = torch.randn(LONGEST, 3).double()
    for function in (
        lambda x: x.sort(dim=0)[0][LONGEST // 2],
        lambda x: x.sort(dim=0, descending=True).values[LONGEST // 3],
        lambda x: torch.msort(x)[100:101],
    ):
        check(SortedEnds(), function, [x], times=1)


def test_several_ends(check):
    x = torch.randn(3, 40).double()
    check(SortedEnds(), lambda x: (s := x.sort()[0])[:, -1] - s[:, 0] + s[:, :5].mean(1), [x], times=3)
    check(SortedEnds(), lambda x: torch.msort(x.T)[-1], [x], times=1)


def test_leaves_others_alone(check):
    x = torch.randn(3, 40).double()
    for function in (
        lambda x: x.sort()[0][0],
        lambda x: x.sort()[0][:, :6],
        lambda x: x.sort()[0][:, 20],
        lambda x: x.sort()[0][:, 6:-6],
        lambda x: x.sort()[1][:, 0],
        lambda x: (s := x.sort())[0][:, 0] + s[1][:, 0],
        lambda x: (s := x.sort()[0])[:, 0] + s.std(1),
        lambda x: x.round().long().sort()[0][:, 0],
    ):
        check(SortedEnds(), function, [x], times=0)
