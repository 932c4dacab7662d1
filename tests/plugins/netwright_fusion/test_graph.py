"""Helpers over a captured graph."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright_fusion.capture import Captured, capture
from netwright_fusion.graph import (
    arguments,
    attribute,
    call,
    from_parameters,
    is_call,
    is_impure,
    is_random,
    nodes,
    only_user,
    replace,
    shape,
    size_hint,
    static_tail,
    tidy,
    value,
    written,
)
from netwright_fusion.rules.layout import refresh

aten = torch.ops.aten


class Layers(nn.Module):
    """A few operators of every sort."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)
        self.norm = nn.BatchNorm1d(3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(self.fc(x) + self.fc.bias.exp().neg())
        torch.rand(2)
        return F.dropout(h, 0.5, self.training) + F.dropout(h, 0.0, True)


@pytest.fixture
def captured() -> Captured:
    """In train mode, of five samples."""
    return capture(Layers(), Inputs((torch.randn(5, 4),)))


def test_arguments_come_by_name_with_defaults(captured: Captured) -> None:
    (linear,) = nodes(captured.graph, aten.linear)
    assert list(arguments(linear)) == ["input", "weight", "bias"]
    assert static_tail(linear) == (3,)
    assert size_hint(value(linear).shape[0]) == 5
    assert is_call(linear, aten.linear.default)
    assert is_call(linear, aten.linear)
    assert not is_call(linear, aten.mm)
    with pytest.raises(TypeError, match="does not call an ATen operator"):
        arguments(captured.graph.graph.output_node())


def test_what_depends_on_parameters_only(captured: Captured) -> None:
    (exponential,), (negative,), (addition, *_) = (
        nodes(captured.graph, operator) for operator in (aten.exp, aten.neg, aten.add)
    )
    assert from_parameters(negative)
    assert from_parameters([exponential, 2])
    assert not from_parameters(addition)
    assert only_user(exponential) is negative
    assert not from_parameters(attribute(captured.graph, "norm.running_mean"))


def test_random_draws_and_writes_are_no_dead_code(captured: Captured) -> None:
    drawn = [node for node in captured.graph.graph.nodes if is_random(node)]
    assert [str(node.target) for node in drawn] == ["aten.rand.default", "aten.dropout.default"]
    (norm,) = nodes(captured.graph, aten.batch_norm)
    assert {str(node.target) for node in written(norm)} == {"norm.running_mean", "norm.running_var"}
    norm.replace_all_uses_with(norm.args[0])  # type: ignore[arg-type]
    norm.replace_input_with(norm.all_input_nodes[0], norm.all_input_nodes[0])
    tidy(captured.graph)
    assert norm in captured.graph.graph.nodes
    assert is_impure(norm)


def test_a_call_computes_its_fake_value_and_takes_the_place_of_others(captured: Captured) -> None:
    (linear,) = nodes(captured.graph, aten.linear)
    with captured.graph.graph.inserting_before(linear):
        new = call(captured.graph.graph, aten.linear.default, *linear.args[:2])
    assert value(new).shape == value(linear).shape
    replace(linear, new)
    tidy(captured.graph)
    assert nodes(captured.graph, aten.linear) == [new]
    before = len(captured.graph.graph.nodes)
    with pytest.raises(RuntimeError), captured.graph.graph.inserting_before(new):
        call(captured.graph.graph, aten.mm.default, new, new)
    assert len(captured.graph.graph.nodes) == before


def test_a_call_settles_no_size_that_was_free() -> None:
    graph = capture(nn.ReLU(), Inputs((torch.randn(2, 3, 4, 5, 6),), {})).graph
    (source,) = graph.graph.find_nodes(op="placeholder")
    assert not isinstance(shape(source)[0], int)
    with graph.graph.inserting_before(graph.graph.output_node()):
        call(graph.graph, aten.constant_pad_nd.default, source, [0, 1, 0, 1, 0, 1])
    assert not isinstance(shape(source)[0], int)


class Scatter(nn.Module):
    """Sizes of the batch and of the data, in calls without a tensor among their arguments."""

    def forward(self, x: Tensor, index: Tensor) -> Tensor:
        zeros = torch.zeros(x.shape[0], 3)
        counts = torch.bincount(index, minlength=x.shape[0])
        return zeros.index_add(0, index, x) / counts[: x.shape[0], None]


def test_values_can_be_computed_anew_whatever_sizes_depend_on() -> None:
    graph = capture(Scatter(), Inputs((torch.randn(5, 3), torch.tensor([0, 1, 2, 3, 4])), {})).graph
    before = [shape(node) for node in nodes(graph, aten.zeros)]
    refresh(graph)
    assert [shape(node) for node in nodes(graph, aten.zeros)] == before
    (counts,) = nodes(graph, aten.bincount)
    assert size_hint(shape(counts)[0]) == 1
