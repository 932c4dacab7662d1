"""Lists of constant indices, made slices where they are."""

import pytest
import torch
from torch import nn

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.cost import graph_cost
from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.catalogue import RULES
from netwright_fusion.rules.indices_as_slice import IndicesAsSlice


class Function(nn.Module):
    """A function of an input and an index in a buffer as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.register_buffer("index", torch.tensor([1]))

    def forward(self, x):
        return self.function(x, self.index)


def applied_to(function, x):
    """How often the rule applies to a captured function; its values must stay."""
    module = Function(function)
    graph = capture(module, Inputs((x,))).graph
    applied = apply_rules(graph, [IndicesAsSlice()], training=True)
    (found,), expected = graph(x), module(x)
    assert found.stride() == expected.stride()
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    return len(applied)


@pytest.mark.parametrize("indices", [[-1], [0], [0, 1, 2], [1, 3, 5], [-3, -2, -1], [-8, 7]])
@pytest.mark.parametrize("dim", [1, 2])
def test_what_increases_evenly_is_a_slice(indices, dim):
    x = torch.randn(3, 8, 8).double()
    places = [slice(None)] * dim
    assert applied_to(lambda x, _: x[(*places, indices)], x) == 1
    from_front = [index % 8 for index in indices]  # all that `index_select` takes
    assert applied_to(lambda x, _: x.index_select(dim, torch.tensor(from_front)), x) == 1


@pytest.mark.parametrize("indices", [[2, 1], [0, 1, 3], [4, 4], [-1, 0]])
def test_other_lists_stay(indices):
    assert applied_to(lambda x, _: x[:, indices], torch.randn(3, 8)) == 0


def test_a_pair_of_lists_and_a_buffer_stay():
    x = torch.randn(3, 2)
    assert applied_to(lambda x, _: x[[1], [1]], x) == 0
    assert applied_to(lambda x, index: x[:, index], x) == 0
    assert applied_to(lambda x, index: x[:, index + 0], x) == 0


def test_the_last_token_of_a_list_is_the_only_one_computed():
    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(8, 32)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(self.fc(x))[:, [-1], :]

    module, x = Head().eval(), torch.randn(2, 16, 8)
    captured = capture(module, Inputs((x,)))
    before = graph_cost(captured.graph).flops
    apply_rules(captured.graph, RULES, training=False)
    assert graph_cost(captured.graph).flops * 16 == before
    torch.testing.assert_close(captured.call(Inputs((x,))), module(x))


def test_a_part_of_an_output_stays_a_copy():
    class Both(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            y = torch.relu(x)
            return y, y[:, [0]]

    captured = capture(Both(), Inputs((torch.randn(2, 1),)))
    apply_rules(captured.graph, RULES, training=True)
    whole, part = captured.call(Inputs((torch.randn(2, 1),)))
    assert whole.data_ptr() != part.data_ptr()
