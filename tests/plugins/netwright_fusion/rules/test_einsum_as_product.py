"""Einsums that are matrix products."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.attention_by_hand import AttentionByHand
from netwright_fusion.rules.einsum_as_product import EinsumAsProduct, EinsumOfFixed


@pytest.mark.parametrize(
    "equation",
    [
        "bhik,bhkj->bhij",
        "bhik,bhjk->bhij",
        "bhki,bhkj->bhij",
        "bhki, bhjk -> bhij",
        "bhdi,bhdj->bhij",
        "bhik,bhkj->bhji",
    ],
)
def test_products(check, equation):
    x, y = torch.randn(2, 3, 4, 4).double(), torch.randn(2, 3, 4, 4).double()
    check(EinsumAsProduct(), lambda x, y: torch.einsum(equation, x, y), [x, y], times=1)
    check(EinsumAsProduct(), lambda x, y: torch.einsum("ij,kj->ik", x, y), [x[0, 0], y[0, 0]], times=1)


@pytest.mark.parametrize("equation", ["hik,bhkj->hbij", "kj,bik->bij", "bkj,ik->bij", "bkj,ki->bij", "bik,jk->bij"])
@pytest.mark.parametrize("size", [3, 17])
def test_one_matrix_for_a_batch(check, equation, size):
    sizes = {"b": 2, "h": 3, "i": 4, "k": 5, "j": size}
    x, y = (torch.randn([sizes[label] for label in term]).double() for term in equation.split("->")[0].split(","))
    broadcast = equation in ("bkj,ik->bij", "bkj,ki->bij")
    times = 0 if equation.startswith("h") or (broadcast and size < 16) else 1
    check(EinsumAsProduct(), lambda x, y: torch.einsum(equation, x, y), [x, y], times=times)


@settings(max_examples=20, deadline=None)
@given(
    equation=st.sampled_from(["bi,ir,ro->bo", "ir,bi,ro->bo", "ro,bi,ir->bo", "bi,ir,rs,so->bo", "bir,ro,rp->biop"]),
    rank=st.sampled_from([1, 9]),
)
def test_einsums_of_fixed_tensors(check, equation, rank):
    sizes = {"b": 7, "i": 3, "o": 2, "p": 2, "r": rank, "s": rank}
    terms = equation.split("->")[0].split(",")
    x, *fixed = (
        torch.randn([sizes[label] for label in term]).double()
        for term in sorted(terms, key=lambda each: "b" not in each)
    )
    parameters = {f"w{index}": each for index, each in enumerate(fixed)}

    def function(x, **parameters):
        others = iter(parameters.values())
        return torch.einsum(equation, *(x if "b" in term else next(others) for term in terms))

    times = int(rank == 9 or equation == "bir,ro,rp->biop")
    check(EinsumOfFixed(), function, [x], times=times, **parameters)


def test_leaves_other_einsums_alone(check):
    x, w = torch.randn(7, 9).double(), torch.randn(9, 9).double()
    for equation in ("bi,ci,ij->bcj", "bi,ij->bj"):
        count = equation.count(",")
        check(EinsumOfFixed(), lambda x, w, e=equation, n=count: torch.einsum(e, *[x] * n, w), [x], times=0, w=w)


@pytest.mark.parametrize(
    "equation",
    [
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


def test_what_follows_knows_its_layout(check):
    x, y = torch.randn(6, 4).double(), torch.randn(2, 4, 20).double()
    graph, _ = check(EinsumAsProduct(), lambda x, y: torch.einsum("ij,bjc->bic", x, y).relu() * 2, [x, y], times=1)
    assert all(node.meta["val"].stride() == (120, 20, 1) for node in list(graph.graph.nodes)[-3:-1])
    assert graph(x, y).stride() == (120, 20, 1)


def test_attention_in_einsums(sketch):
    q, k, v = (torch.randn(2, 3, 5, 6).double() for _ in range(3))

    def function(q, k, v):
        scores = torch.einsum("bhid,bhjd->bhij", q, k) * 6**-0.5
        return torch.einsum("bhij,bhjd->bhid", scores.softmax(dim=-1), v)

    graph = sketch(function, {}, [q, k, v])
    applied = apply_rules(graph, [EinsumAsProduct(), AttentionByHand()], training=False)
    assert [each.rule.name for each in applied][-1] == "attention by hand"
    torch.testing.assert_close(graph(q, k, v), function(q, k, v), rtol=1e-10, atol=1e-10)
