"""The ledger: its counts are those of a forward, before and after cuts."""

import copy

import pytest
import torch
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright.cost import count_cost
from netwright_pruning.groups import trace
from netwright_pruning.surgery import Surgeon


class Mixed(nn.Module):
    """Convolutions of all kinds, attention, a tied layer, and a product of activations."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.grouped = nn.Conv2d(16, 24, 3, padding=1, groups=4)
        self.depthwise = nn.Conv2d(24, 48, 3, padding=1, groups=24)
        self.up = nn.ConvTranspose2d(48, 20, 2, stride=2)
        self.project = nn.Linear(20, 32)
        self.tied = nn.Linear(32, 32, bias=False)
        self.again = nn.Linear(32, 32, bias=False)
        self.again.weight = self.tied.weight
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
        self.head = nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.up(self.depthwise(self.grouped(self.stem(x)).relu())).relu()
        x = self.again(self.tied(self.project(x.flatten(2).transpose(1, 2))))
        x = x + self.attention(x, x, x)[0]
        outputs: Tensor = self.head((x @ x.transpose(1, 2) @ x).mean(1))
        return outputs


@pytest.mark.parametrize("seed", range(4))
def test_counts_are_those_of_a_forward(seed: int) -> None:
    torch.manual_seed(seed)
    model, inputs = Mixed().eval(), Inputs((torch.rand(2, 3, 8, 8),))
    whole = Surgeon(copy.deepcopy(model), inputs)
    cuts = {}
    for name, group in whole.graph.groups.items():
        lost = torch.randperm(group.units)[: int(torch.randint(group.units, ()))].tolist()
        cuts[name] = sorted(channel for unit in lost for channel in group.channels_of(unit))
    for some in ({}, cuts):
        surgeon = Surgeon(copy.deepcopy(model), inputs)
        assert surgeon.remove_each(some) == []
        counted = count_cost(surgeon.model, inputs)
        assert surgeon.graph.ledger.macs(surgeon.gone) == counted.macs
        assert surgeon.graph.ledger.parameters(surgeon.gone) == counted.parameters
    assert counted.macs < count_cost(model, inputs).macs


def test_a_model_trace_counts_nothing_twice() -> None:
    model, inputs = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), Inputs((torch.rand(3, 4),))
    graph = trace(model, inputs)
    gone = Surgeon(model, inputs, graph).gone
    assert graph.ledger.macs(gone) == 3 * (4 * 8 + 8 * 2)
    assert graph.ledger.parameters(gone) == 4 * 8 + 8 + 8 * 2 + 2
