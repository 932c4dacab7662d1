"""Clamps and activations that change nothing, and clamps in a row."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules import ranges
from netwright_fusion.rules.ranges import cancels, range_of
from netwright_fusion.rules.redundant_clamp import ClampOfClamp, LeakyOfLeaky, RedundantClamp


def test_redundant(check):
    x = torch.randn(2, 3, 4, 4).double() * 3
    for function in (
        lambda x: torch.clamp(torch.sigmoid(x), 0, 1),
        lambda x: F.relu(F.softmax(x, 1)),
        lambda x: F.relu(F.relu(x)),
        lambda x: F.hardtanh(torch.tanh(x)),
        lambda x: F.relu6(torch.sigmoid(x) * 6),
        lambda x: F.leaky_relu(F.avg_pool2d(F.relu(x), 2)),
        lambda x: torch.abs(x.square() + 1),
        lambda x: F.elu(torch.exp(x)).sum(1),
        lambda x: F.relu(torch.clamp(x, min=0.5).mean((2, 3))),
        lambda x: torch.clamp(torch.minimum(torch.sigmoid(x), x.abs()), max=1.0),
    ):
        check(RedundantClamp(), function, [x], times=1)


def test_leaves_needed_ones_alone(check):
    x = torch.randn(2, 3, 4, 4).double() * 3
    for function in (
        lambda x: F.relu(torch.tanh(x)),
        lambda x: torch.clamp(torch.sigmoid(x), 0.1, 1),
        lambda x: F.relu(torch.sigmoid(x) - 0.5),
        lambda x: F.relu(F.relu(x) * -1),
        lambda x: F.selu(F.relu(x)),
        lambda x: F.relu(F.gelu(x)),
        lambda x: torch.clamp(F.relu(x).sum(1), max=6),
        lambda x: torch.relu(x.relu() - x.relu().mean()),
    ):
        check(RedundantClamp(), function, [x], times=0)


@settings(max_examples=12, deadline=None)
@given(bounds=st.tuples(*[st.one_of(st.none(), st.floats(-1, 1))] * 4))
def test_clamps_of_clamps(check, bounds):
    a, b, c, d = bounds
    if (a is None and b is None) or (c is None and d is None):
        return
    x = torch.randn(20).double() * 2
    inner_empty = a is not None and b is not None and a > b
    outer_empty = c is not None and d is not None and c > d
    times = 0 if inner_empty or outer_empty else 1
    check(ClampOfClamp(), lambda x: torch.clamp(torch.clamp(x, a, b), c, d), [x], times=times)


def test_clamp_of_relu(check):
    x = torch.randn(20).double() * 9
    check(ClampOfClamp(), lambda x: F.hardtanh(F.relu(x)), [x], times=1)
    check(ClampOfClamp(), lambda x: F.relu6(F.relu(x)), [x], times=1)


def test_ranges_of_numbers():
    assert range_of(2) == (2.0, 2.0)
    assert range_of(None) == (-math.inf, math.inf)


def test_each_range_is_found_once(sketch, monkeypatch):
    def function(x):
        for _ in range(15):
            x = x + torch.tanh(x)
        return x

    graph = sketch(function, {}, [torch.randn(2, 3)])
    asked = []
    monkeypatch.setattr(ranges, "cancels", lambda node: asked.append(node) or cancels(node))
    range_of(graph.graph.output_node().args[0])
    assert 15 <= len(asked) == len(set(asked)) <= 30


def test_what_only_looks_bounded_stays_clamped(check):
    x = torch.randn(20).double() * 3
    for function in (
        lambda x: F.relu(F.softplus(x, beta=-1)),
        lambda x: torch.clamp(torch.div(torch.tanh(x), 2, rounding_mode="floor"), -0.5, 0.5),
        lambda x: torch.sigmoid(x).view(torch.int64).clamp(0, 1),
        lambda x: torch.rsqrt(x.abs() * -1.0 * 0.0).clamp(min=0.0),
        lambda x: (-x.to(torch.uint8).clamp(0, 5)).clamp(max=0),
    ):
        check([RedundantClamp(), ClampOfClamp()], function, [x], times=0, finite=True)


def test_clamps_of_integers_stay_integers(check):
    check(ClampOfClamp(), lambda x: x.clamp(0, 9).clamp(1, 12), [torch.arange(20)], times=0, finite=True)


@pytest.mark.parametrize("inner", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("outer", [0.2, 2.0, -0.5, None])
def test_rectifiers_of_leaky_ones(check, inner, outer):
    x = torch.cat([torch.randn(5), torch.tensor([0.0, math.inf, -math.inf, math.nan])]).double()

    def function(x):
        leaky = F.leaky_relu(x * 1.5, inner)
        return F.relu(leaky) if outer is None else F.leaky_relu(leaky, outer)

    graph, _ = check(LeakyOfLeaky(), function, [x[:5]], times=1)
    check(LeakyOfLeaky(), function, [x], times=1)
    assert len([node for node in graph.graph.nodes if node.op == "call_function"]) == 2


def test_leaves_rectifiers_that_turn_signs_alone(check):
    x = torch.randn(2, 3).double()
    for function in (
        lambda x: F.leaky_relu(F.leaky_relu(x, -0.1), 0.2),
        lambda x: F.relu(F.leaky_relu(x, 0.0)),
        lambda x: F.leaky_relu(F.leaky_relu(x, 0.1), 0.0),
        lambda x: F.relu(y := F.leaky_relu(x, 0.1)) + y,
        lambda x: F.relu(F.elu(x)),
    ):
        check(LeakyOfLeaky(), function, [x], times=0)
