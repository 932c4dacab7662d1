"""Einsums that are matrix products."""

import pytest
import torch

from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.attention_by_hand import AttentionByHand
from netwright_fusion.rules.einsum_as_product import EinsumAsProduct


@pytest.mark.parametrize(
    "equation", ["bhik,bhkj->bhij", "bhik,bhjk->bhij", "bhki,bhkj->bhij", "bhki, bhjk -> bhij", "bhdi,bhdj->bhij"]
)
def test_products(check, equation):
    x, y = torch.randn(2, 3, 4, 4).double(), torch.randn(2, 3, 4, 4).double()
    check(EinsumAsProduct(), lambda x, y: torch.einsum(equation, x, y), [x, y], times=1)
    check(EinsumAsProduct(), lambda x, y: torch.einsum("ij,kj->ik", x, y), [x[0, 0], y[0, 0]], times=1)


@pytest.mark.parametrize(
    "equation",
    [
        "bhik,bhkj->bhji",
        "bhik,bhkj->hbij",
        "bhik,hbkj->bhij",
        "bhij,bhij->bhij",
        "bhik,bhkj->bij",
        "bhik,bhij->bhij",
        "bhii,bhij->bhij",
        "...ik,...kj->...ij",
        "bhik,bhkj",
    ],
)
def test_leaves_others_alone(check, equation):
    x, y = torch.randn(3, 3, 3, 3).double(), torch.randn(3, 3, 3, 3).double()
    check(EinsumAsProduct(), lambda x, y: torch.einsum(equation, x, y), [x, y], times=0)


def test_attention_in_einsums(sketch):
    q, k, v = (torch.randn(2, 3, 5, 6).double() for _ in range(3))

    def function(q, k, v):
        scores = torch.einsum("bhid,bhjd->bhij", q, k) * 6**-0.5
        return torch.einsum("bhij,bhjd->bhid", scores.softmax(dim=-1), v)

    graph = sketch(function, {}, [q, k, v])
    applied = apply_rules(graph, [EinsumAsProduct(), AttentionByHand()], training=False)
    assert [each.rule.name for each in applied][-1] == "attention by hand"
    torch.testing.assert_close(graph(q, k, v), function(q, k, v), rtol=1e-10, atol=1e-10)
