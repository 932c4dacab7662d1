"""What nodes cost, held against netwright's own counter."""

import pytest
import torch
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright.cost import count_cost
from netwright_fusion.capture import capture
from netwright_fusion.cost import Cost, Machine, graph_cost, node_cost
from netwright_fusion.graph import attribute, call, nodes


class Products(nn.Module):
    """Most operators that multiply."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 6, 3, stride=2, groups=2)
        self.up = nn.ConvTranspose2d(6, 4, 3, stride=2)
        self.lstm = nn.LSTM(9, 3, 2, batch_first=True, bidirectional=True)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        h = self.up(self.conv(x))[:, 0]
        h, _ = self.lstm(torch.einsum("bij,bjk->bik", h, h))
        h, _ = self.attention(h, h * 2, h * 3)
        products = h @ h.transpose(1, 2)
        return torch.baddbmm(products, products, products)


def test_flops_are_those_of_the_one_counter() -> None:
    module, inputs = Products(), Inputs((torch.randn(3, 4, 9, 9),))
    assert graph_cost(capture(module, inputs).graph).flops == count_cost(module, inputs).flops > 0


def test_bytes_are_what_is_read_and_written_and_views_are_free() -> None:
    captured = capture(nn.Sequential(nn.Linear(8, 4), nn.Flatten(), nn.ReLU()), Inputs((torch.randn(2, 8),)))
    costs = {node.target: node_cost(node) for node in captured.graph.graph.nodes if node.op == "call_function"}
    assert costs[torch.ops.aten.linear.default] == Cost(2 * 2 * 8 * 4, 4 * (16 + 32 + 4 + 8))
    assert costs[torch.ops.aten.relu.default] == Cost(0, 4 * (8 + 8))
    assert costs.get(torch.ops.aten.flatten.using_ints, Cost()) == Cost()


def test_what_depends_on_parameters_only_is_computed_once_and_not_counted() -> None:
    captured = capture(nn.Linear(8, 4), Inputs((torch.randn(2, 8),)))
    before = graph_cost(captured.graph)
    (linear,) = nodes(captured.graph, torch.ops.aten.linear)
    with captured.graph.graph.inserting_before(linear):
        call(captured.graph.graph, torch.ops.aten.sum.default, attribute(captured.graph, "weight"))
    assert graph_cost(captured.graph) == before


def test_one_sample_counts_as_one() -> None:
    module = nn.Linear(8, 4)
    captured = capture(module, Inputs((torch.randn(1, 8),)))
    assert graph_cost(captured.graph).flops == 2 * 8 * 4


def test_the_roofline_takes_the_slower_of_computing_and_moving() -> None:
    machine = Machine(flops_per_s=1e9, bytes_per_s=1e8)
    assert machine.floor_ms(Cost(flops=2_000_000, bytes=100_000)) == pytest.approx(2.0)
    assert machine.floor_ms(Cost(flops=1_000, bytes=100_000)) == pytest.approx(1.0)
