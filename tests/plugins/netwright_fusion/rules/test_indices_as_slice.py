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


@pytest.mark.parametrize("indices", [[-1], [0], [0, 1, 2], [1, 3, 5], [-3, -2, -1], [-8, 7]])
@pytest.mark.parametrize("dim", [1, 2])
def test_what_increases_evenly_is_a_slice(check, indices, dim):
    x = torch.randn(3, 8, 8).double()
    places = [slice(None)] * dim
    check(IndicesAsSlice(), lambda x, lifted_tensor_0: x[(*places, lifted_tensor_0)], [x], **_constant(indices))
    from_front = _constant([index % 8 for index in indices])  # all that `index_select` takes
    check(IndicesAsSlice(), lambda x, lifted_tensor_0: x.index_select(dim, lifted_tensor_0), [x], **from_front)


@pytest.mark.parametrize("indices", [[2, 1], [0, 1, 3], [4, 4], [-1, 0]])
def test_other_lists_stay(check, indices):
    x = torch.randn(3, 8).double()
    check(IndicesAsSlice(), lambda x, lifted_tensor_0: x[:, lifted_tensor_0], [x], times=0, **_constant(indices))


def test_a_mask_a_pair_of_lists_and_a_buffer_stay(check):
    x = torch.randn(3, 2).double()
    mask, index = torch.tensor([True, False]), torch.tensor([1])
    check(IndicesAsSlice(), lambda x, lifted_tensor_0: x[:, lifted_tensor_0], [x], times=0, lifted_tensor_0=mask)
    check(
        IndicesAsSlice(),
        lambda x, lifted_tensor_0: x[lifted_tensor_0, lifted_tensor_0],
        [x],
        times=0,
        lifted_tensor_0=index,
    )
    check(IndicesAsSlice(), lambda x, last: x[:, last], [x], times=0, last=index)


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


def _constant(indices: list[int]) -> dict[str, torch.Tensor]:
    return {"lifted_tensor_0": torch.tensor(indices)}
