"""Layers that loops apply step by step."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.graph import is_call
from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.catalogue import RULES
from netwright_fusion.rules.layer_of_steps import LayerOfSteps, StackOfLayers

aten = torch.ops.aten
WAYS = {
    "selected": lambda x, dim: [x.select(dim, step) for step in range(x.shape[dim])],
    "backwards": lambda x, dim: [x.select(dim, step - 1) for step in range(x.shape[dim], 0, -1)],
    "the first left out": lambda x, dim: [x.select(dim, step) for step in range(1, x.shape[dim])],
    "sliced": lambda x, dim: [x[(slice(None),) * dim + (slice(step, step + 1),)] for step in range(x.shape[dim])],
    "unbound": lambda x, dim: x.unbind(dim),
}


def linears(graph):
    return [node for node in graph.graph.nodes if is_call(node, aten.linear.default)]


@settings(max_examples=12, deadline=None)
@given(
    way=st.sampled_from(sorted(WAYS)),
    dim=st.integers(0, 1),
    sizes=st.tuples(*[st.integers(2, 5)] * 4),
    biased=st.booleans(),
)
def test_inputs_of_a_recurrence(check, way, dim, sizes, biased):
    batch, steps, inputs, states = sizes
    x = torch.randn(*((batch, steps) if dim == 1 else (steps, batch)), inputs).double()
    parameters = {"w": torch.randn(states, inputs).double(), "u": torch.randn(states, states).double()}
    parameters |= {"b": torch.randn(states).double()} if biased else {}

    def function(x, w, u, b=None):
        h = x.new_zeros(batch, states)
        for step in WAYS[way](x + 1, dim):
            h = torch.tanh(F.linear(step, w, b).view(batch, states) + h @ u)
        return h

    if steps > 2 or way != "the first left out":
        graph, _ = check(LayerOfSteps(), function, [x], times=1, **parameters)
        assert len(linears(graph)) == 1


@settings(max_examples=12, deadline=None)
@given(first=st.booleans(), extra=st.booleans(), sizes=st.tuples(*[st.integers(2, 5)] * 4))
def test_inputs_beside_a_state(check, first, extra, sizes):
    batch, steps, inputs, states = sizes
    x, y = torch.randn(batch, steps, inputs).double(), torch.randn(batch, 3).double()
    parameters = {"b": torch.randn(states).double()}
    parameters["w"] = torch.randn(states, states + inputs + (3 if extra else 0)).double()

    def function(x, y, w, b):
        h = y.new_zeros(batch, states) + y.sum()
        for step in range(steps):
            parts = [x[:, step], *([y] if extra else []), h]
            h = torch.sigmoid(F.linear(torch.cat(parts if first else parts[::-1], 1), w, b))
        return h

    graph, applied = check(LayerOfSteps(), function, [x, y], times=1, **parameters)
    assert len(linears(graph)) == steps + 1
    assert len([node for node in graph.graph.nodes if is_call(node, aten.slice.Tensor)]) <= 3
    assert applied[0].site.startswith(f"{steps} x linear")


def test_two_sequences_beside_a_state(check):
    x, y, w = torch.randn(2, 4, 3).double(), torch.randn(4, 2, 5).double(), torch.randn(6, 14).double()

    def function(x, y, w):
        h = x.new_zeros(2, 6)
        for step in range(4):
            h = torch.tanh(F.linear(torch.cat([x[:, step], h, y[step]], -1), w))
        return h

    graph, _ = check(LayerOfSteps(), function, [x, y], times=2, w=w)
    assert len(linears(graph)) == 6


def test_products_with_matrices(check):
    x, w, u = torch.randn(2, 4, 3).double(), torch.randn(3, 5).double(), torch.randn(8, 5).double()

    def function(x, w, u):
        h = x.new_zeros(2, 5)
        for step in range(4):
            h = torch.tanh(x[:, step] @ w + torch.mm(torch.cat([x[:, step], h], 1), u))
        return h

    graph, _ = check(LayerOfSteps(), function, [x], times=2, w=w, u=u)
    assert len([node for node in graph.graph.nodes if is_call(node, aten.matmul.default)]) == 6


def test_sequences_without_batch(check):
    x, w = torch.randn(4, 3).double(), torch.randn(5, 3).double()
    check(LayerOfSteps(), lambda x, w: F.linear(x[0], w) + F.linear(x[1], w).relu(), [x], times=1, w=w)


def test_outputs_keep_their_memory(check):
    x, w = torch.randn(3, 4, 2).double(), torch.randn(5, 2).double()
    graph, _ = check(LayerOfSteps(), lambda x, w: tuple(F.linear(x[:, step], w) for step in range(4)), [x], w=w)
    assert all(output.is_contiguous() for output in graph(x))


def test_leaves_other_loops_alone(check):
    x, w, v = torch.randn(3, 4, 4).double(), torch.randn(5, 4).double(), torch.randn(5, 4).double()
    check(LayerOfSteps(), lambda x, w, v: F.linear(x[:, 0], w) + F.linear(x[:, 1], v), [x], times=0, w=w, v=v)
    for function in (
        lambda x, w: F.linear(x[:, 0], w) + F.linear(x[:, 2], w),
        lambda x, w: F.linear(x[:, :, 0], w) + F.linear(x[:, :, 1], w),
        lambda x, w: F.linear(x[:, 0], w) + F.linear(x[1], w)[:1],
        lambda x, w: F.linear(x[0, 0], w) + F.linear(x[0, 1].relu(), w),
        lambda x, w: F.linear(x[:, 1:3], w) + F.linear(x[:, 2:4], w),
    ):
        check(LayerOfSteps(), function, [x], times=0, w=w)


STACKED = {
    "stacked in the middle": (lambda ys: torch.stack(ys, 1), 1),
    "stacked in front": (torch.stack, 1),
    "concatenated": (torch.cat, 1),
    "concatenated after a new dimension": (lambda ys: torch.cat([y.unsqueeze(1) for y in ys], 1), 1),
    "stacked behind": (lambda ys: torch.stack(ys, -1), 0),
    "concatenated channels": (lambda ys: torch.cat(ys, 1), 0),
    "used twice": (lambda ys: torch.stack(ys) + ys[0], 0),
    "with something else": (lambda ys: torch.stack([*ys, ys[0].relu()]), 0),
}


@pytest.mark.parametrize("name", sorted(STACKED))
def test_stacks(check, name):
    stack, times = STACKED[name]
    xs = [torch.randn(3, 4).double() for _ in range(3)]
    w, b = torch.randn(5, 4).double(), torch.randn(5).double()
    check(StackOfLayers(), lambda *xs, w, b: stack([F.linear(x, w, b) for x in xs]), xs, times=times, w=w, b=b)


def test_leaves_stacks_of_different_layers_alone(check):
    x, w, v = torch.randn(3, 4).double(), torch.randn(5, 4).double(), torch.randn(5, 4).double()
    check(StackOfLayers(), lambda x, w, v: torch.stack([F.linear(x, w), F.linear(x, v)]), [x], times=0, w=w, v=v)
    check(
        StackOfLayers(), lambda x, w, v: torch.stack([F.linear(x, w, v[:, 0]), F.linear(x, w)]), [x], times=0, w=w, v=v
    )


class Recurrent(nn.Module):
    """A recurrent network by hand, with an output at each step."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(3 + 5, 5), nn.Linear(5, 2)

    def forward(self, x):
        h, outputs = x.new_zeros(x.shape[0], 5), []
        for step in range(x.shape[1]):
            h = torch.tanh(self.hidden(torch.cat([x[:, step], h], dim=-1)))
            outputs.append(self.out(h))
        return torch.stack(outputs, dim=1)


def test_recurrent_network_by_hand():
    torch.manual_seed(0)
    captured = capture(Recurrent().double(), Inputs(args=(torch.randn(4, 6, 3).double(),), kwargs={})).copy()
    inputs = Inputs(args=(torch.randn(7, 6, 3).double(),), kwargs={})
    expected = captured.call(inputs)
    applied = apply_rules(captured.graph, RULES, training=True)
    assert {LayerOfSteps.name, StackOfLayers.name} <= {each.rule.name for each in applied}
    assert len(linears(captured.graph)) == 1 + 6 + 1
    torch.testing.assert_close(captured.call(inputs), expected, rtol=1e-10, atol=1e-10)
