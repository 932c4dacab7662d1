"""Where a NaN that becomes an infinity could be told from an output."""

import pytest
import torch
from torch.nn import functional as F

from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.catalogue import RULES
from netwright_fusion.rules.infinity import FINITE_INPUTS


@pytest.mark.parametrize(
    ("function", "finite"),
    [
        (lambda x, w: torch.sigmoid(F.linear(x, w).sum(1)), True),
        (lambda x, w: torch.clamp(F.linear(x, w).sum(1) * 2, 0, 1), True),
        (lambda x, w: F.gelu(F.linear(x, w).sum(1)) + 1, False),
        (lambda x, w: F.linear(x, w).sum(1) / 3, False),
        (lambda x, w: 1 / F.linear(x, w).sum(1), True),
        (lambda x, w: torch.sigmoid(F.linear(x, w) * 2), False),
    ],
)
def test_graphs_for_finite_inputs_only(sketch, function, finite):
    graph = sketch(function, {"w": torch.randn(4, 3)}, [torch.randn(2, 3)])
    assert apply_rules(graph, RULES, training=False)
    assert bool(graph.meta.get(FINITE_INPUTS)) == finite
