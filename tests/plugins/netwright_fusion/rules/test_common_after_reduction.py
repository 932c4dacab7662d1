"""Gates and terms that all elements of a reduction have in common, and reductions that were done before."""

import operator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.catalogue import RULES
from netwright_fusion.rules.common_after_reduction import CommonAfterReduction
from netwright_fusion.rules.infinity import FINITE_INPUTS
from netwright_fusion.rules.same_reduction import SameReduction

OPERATORS = {"times": operator.mul, "plus": operator.add, "minus": operator.sub}


@settings(max_examples=40, deadline=None)
@given(
    combine=st.sampled_from(sorted(OPERATORS)),
    reduce=st.sampled_from(["sum", "mean", "amax", "amin"]),
    dims=st.sets(st.integers(0, 2), min_size=1),
    ones=st.sets(st.integers(0, 2), min_size=1),
    short=st.booleans(),
    keepdim=st.booleans(),
    backwards=st.booleans(),
)
def test_common_terms_and_factors(check, combine, reduce, dims, ones, short, keepdim, backwards):
    x = torch.randn(2, 3, 4).double()
    t = torch.randn(*(1 if dim in ones else size for dim, size in enumerate(x.shape))).double()
    t = t[0] if short and t.shape[0] == 1 else t
    linear = reduce in ("sum", "mean")
    commutes = linear or (combine != "times" and not (backwards and combine == "minus"))

    def function(x, t):
        both = OPERATORS[combine](*((t, x) if backwards else (x, t)))
        return getattr(torch, reduce)(both, sorted(dims), keepdim=keepdim)

    check(CommonAfterReduction(), function, [x, t], times=int(commutes and bool(dims & ones)))


def test_expanded_gates(check):
    x, gate = torch.randn(2, 3, 4, 5).double(), torch.rand(2, 3).double()
    for function in (
        lambda x, gate: F.adaptive_avg_pool2d(x * gate[:, :, None, None].expand_as(x), 1),
        lambda x, gate: (gate.view(2, 3, 1, 1).expand(2, 3, 4, 5) * x).mean((2, 3)),
        lambda x, gate: (x * gate[:, :, None, None]).mean((1, 2, 3)),
    ):
        check(CommonAfterReduction(), function, [x, gate], times=1)


def test_leaves_what_varies_alone(check):
    x, t = torch.randn(2, 3, 4).double(), torch.randn(2, 3, 1).double()
    for function in (
        lambda x, t: (x * t).sum(1),
        lambda x, t: (x / t).sum(2),
        lambda x, t: torch.add(x, t, alpha=2).sum(2),
        lambda x, t: (y := x * t).sum(2) + y[:, :, 0],
        lambda x, t: (x + x).sum(2) + t[:, :, 0],
        lambda x, t: (x[:, :, :1] * t).sum(2),
    ):
        check(CommonAfterReduction(), function, [x, t], times=0)


def test_gates_that_may_be_infinite(sketch):
    x, t = torch.randn(2, 3, 4).double(), torch.randn(2, 3, 1).double()
    for function, applies in (
        (lambda x, t: torch.sigmoid((x * t.sigmoid()).mean(2)), True),
        (lambda x, t: torch.sigmoid((x * t.reciprocal()).mean(2)), False),
        (lambda x, t: (x * t.reciprocal()).mean(2), True),
        (lambda x, t: torch.sigmoid((x + t.reciprocal()).mean(2)), True),
        (lambda x, t: torch.sigmoid((x + t).amax(2)), False),
    ):
        graph = sketch(function, {}, [x, t])
        assert bool(apply_rules(graph, [CommonAfterReduction()], training=False)) == applies
        torch.testing.assert_close(graph(x, t), function(x, t))


@pytest.mark.parametrize("first", ["sum", "mean"])
@pytest.mark.parametrize("second", ["sum", "mean"])
@pytest.mark.parametrize("keepdims", [(False, True), (True, False), (True, True)])
def test_same_reductions(check, first, second, keepdims):
    def function(x):
        one = getattr(x, first)((0, 2), keepdim=keepdims[0])
        other = getattr(x, second)((0, 2), keepdim=keepdims[1])
        return one.reshape(-1) * other.cos().reshape(-1)

    check(SameReduction(), function, [torch.randn(2, 3, 4).double()], times=1)


def test_leaves_other_reductions_alone(check):
    x = torch.randn(2, 3, 4).double()
    for function in (
        lambda x: x.sum(1) + x.mean(2)[:, :1],
        lambda x: x.sum(1) + x.amax(1),
        lambda x: x.sum(1) + x.cos().mean(1),
        lambda x: (x.sum(1), x.sum(1, keepdim=True)),
    ):
        check(SameReduction(), function, [x], times=0)


class Excited(nn.Module):
    """A convolution, squeeze and excitation, a pointwise convolution and the mean over positions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 5, 1)
        self.down, self.up = nn.Linear(8, 2), nn.Linear(2, 8)

    def forward(self, x):
        x = self.conv(x)
        gate = torch.sigmoid(self.up(torch.relu(self.down(x.mean((2, 3))))))
        return self.head(x * gate[:, :, None, None]).mean((2, 3))


def test_squeeze_and_excitation_before_a_mean():
    torch.manual_seed(0)
    captured = capture(Excited().double(), Inputs(args=(torch.randn(2, 3, 9, 9).double(),), kwargs={})).copy()
    inputs = Inputs(args=(torch.randn(4, 3, 9, 9).double(),), kwargs={})
    expected = captured.call(inputs)
    applied = apply_rules(captured.graph, [rule for rule in RULES if not rule.measured], training=True)
    assert {CommonAfterReduction.name, SameReduction.name} <= {each.rule.name for each in applied}
    assert captured.graph.meta[FINITE_INPUTS]
    assert not any(
        node.meta["val"].shape[2:] == (9, 9) for node in captured.graph.graph.nodes if node.op == "call_function"
    )
    torch.testing.assert_close(captured.call(inputs), expected, rtol=1e-10, atol=1e-10)
