"""What is computed once, and what in every call."""

import torch
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.emission.partition import Partition, partition
from netwright_fusion.graph import operator_name


class Weights(nn.Module):
    """Work on parameters of every kind, beside work on the input."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.w = nn.Parameter(torch.randn(3, 4))
        self.steps: Tensor
        self.register_buffer("steps", torch.zeros(()))
        self.plain = torch.ones(4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = nn.functional.conv2d(x, self.conv.weight.contiguous(memory_format=torch.channels_last))
        self.steps += 1
        rows, columns = torch.chunk(self.w.t().contiguous() * 2, 2)
        h = h.flatten(2) @ (torch.arange(h.shape[-1] ** 2, dtype=torch.float32)[:, None] + self.w[0])
        h = h * self.plain.exp() * self.steps.cos() + torch.rand(4) + self.w.t()[0, 0]
        return h @ rows.reshape(-1)[:4], columns.sum() + 0


def _split(*, freezes: bool = False) -> tuple[Partition, list[str], list[str]]:
    captured = capture(Weights().eval(), Inputs((torch.randn(2, 3, 6, 6),)))
    parts = partition(captured.graph, frozenset(), frozenset({"plain"}), freezes=freezes)
    prepared = [operator_name(node) for node in parts.prepared if node.op == "call_function"]
    return parts, prepared, [operator_name(node) for node in parts.computed if node.op == "call_function"]


def test_work_on_parameters_is_prepared_and_views_and_what_may_change_are_not() -> None:
    parts, prepared, computed = _split()
    assert prepared.count("contiguous") == 2
    assert {"chunk", "arange", "add"} <= set(prepared)
    assert {"conv2d", "rand", "exp", "cos", "add_", "select"} <= set(computed)
    assert not {"chunk", "arange", "contiguous"} & set(computed)
    assert set(parts.sources) == {"conv.weight", "w"}


def test_what_is_returned_as_it_is_is_made_anew_in_every_call() -> None:
    parts, _, _ = _split()
    last = [node for node in parts.computed if operator_name(node) == "add"][-1]
    assert [user.op for user in last.users] == ["output"]
    assert last not in parts.prepared


def test_freezing_keeps_parameters_themselves_too() -> None:
    parts, _, _ = _split(freezes=True)
    names = {str(node.target) for node in parts.kept if node.op == "get_attr"}
    assert "w" in names
    assert "plain" not in names
