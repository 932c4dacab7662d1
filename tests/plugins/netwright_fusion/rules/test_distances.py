"""Distances of all pairs, spelt out."""

import pytest
import torch
from torch import nn

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.catalogue import RULES
from netwright_fusion.rules.distances import PairwiseDistances

TOTALS = {
    "squares": lambda d: d.pow(2).sum(-1),
    "mean square": lambda d: (d * d).mean(-1, keepdim=True),
    "magnitudes": lambda d: d.abs().sum(-1),
    "root": lambda d: torch.linalg.vector_norm(d, dim=-1),
    "norm": lambda d: torch.norm(d, p=2, dim=-1, keepdim=True),
    "manhattan": lambda d: torch.linalg.vector_norm(d, 1, dim=-1),
}
PAIRS = {
    "batches": lambda x, y, _: x.unsqueeze(2) - y.unsqueeze(1),
    "other way": lambda x, y, _: y[:, None] - x[:, :, None],
    "columns first": lambda x, y, _: x[:, None] - y[:, :, None],
    "table": lambda x, _, table: x.unsqueeze(2) - table,
    "two tables": lambda x, _, table: x[0, :, None, :].expand(-1, 5, -1) - table[None].expand(4, -1, -1),
}


@pytest.mark.parametrize("total", sorted(TOTALS))
@pytest.mark.parametrize("pairs", sorted(PAIRS))
def test_all_pairs(check, total, pairs):
    x, y, table = torch.randn(2, 4, 6).double(), torch.randn(2, 7, 6).double(), torch.randn(5, 6).double()
    _, applied = check(
        PairwiseDistances(), lambda x, y, table: TOTALS[total](PAIRS[pairs](x, y, table)), [x, y], times=1, table=table
    )
    assert applied[0].bytes_removed > 0


def test_near_rows_lose_no_digits(sketch):
    x = 1000 + torch.randn(40, 8)
    graph = sketch(lambda x: (x[:, None] - x[None]).pow(2).sum(-1), {}, [x])
    assert apply_rules(graph, [PairwiseDistances()], training=False)
    exact = (x.double()[:, None] - x.double()[None]).pow(2).sum(-1)
    torch.testing.assert_close(graph(x).double(), exact, rtol=1e-5, atol=0)


def test_leaves_others_alone(check):
    x, y, table = torch.randn(2, 4, 6).double(), torch.randn(2, 7, 6).double(), torch.randn(5, 6).double()
    for function in (
        lambda x, y, **_: (x.unsqueeze(2) - y.unsqueeze(1)).pow(3).sum(-1),
        lambda x, y, **_: (x.unsqueeze(2) - y.unsqueeze(1)).pow(2).sum(1),
        lambda x, y, **_: (x.unsqueeze(2) - y.unsqueeze(1)).pow(2).amax(-1),
        lambda x, y, **_: (d := x.unsqueeze(2) - y.unsqueeze(1)).pow(2).sum(-1, keepdim=True) + d,
        lambda x, *_, **__: (x - x[:, :1]).pow(2).sum(-1),
        lambda x, *_, **__: (x - x.cos()).pow(2).sum(-1),
        lambda x, y, **_: torch.linalg.vector_norm(x.unsqueeze(2) - y.unsqueeze(1), 3, dim=-1),
    ):
        check(PairwiseDistances(), function, [x, y], times=0, table=table)


class RadialBasis(nn.Module):
    """Gaussians around learnt centres, and a linear layer (Broomhead and Lowe 1988)."""

    def __init__(self) -> None:
        super().__init__()
        self.centres, self.widths = nn.Parameter(torch.randn(9, 6)), nn.Parameter(torch.rand(9))
        self.head = nn.Linear(9, 3)

    def forward(self, x):
        squares = ((x.unsqueeze(1) - self.centres) ** 2).sum(-1)
        return self.head(torch.exp(-self.widths * squares))


def test_radial_basis_network():
    torch.manual_seed(0)
    inputs = Inputs(args=(torch.randn(4, 6).double(),), kwargs={})
    captured = capture(RadialBasis().double(), inputs).copy()
    expected = captured.call(inputs)
    applied = apply_rules(captured.graph, RULES, training=True)
    assert "distances of pairs" in [each.rule.name for each in applied]
    torch.testing.assert_close(captured.call(inputs), expected, rtol=1e-10, atol=1e-10)
