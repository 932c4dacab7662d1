"""Matrix products of which only the diagonal is read."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.catalogue import RULES
from netwright_fusion.rules.product_diagonal import ProductDiagonal

DIAGONALS = {
    "diagonal": lambda p: torch.diagonal(p, dim1=-2, dim2=-1),
    "other way": lambda p: p.diagonal(0, -1, -2),
    "linalg": torch.linalg.diagonal,
    "einsum": lambda p: torch.einsum("...ii->...i", p),
    "sum": lambda p: p.diagonal(dim1=-2, dim2=-1).sum(-1),
    "einsum trace": lambda p: torch.einsum("...ii->...", p),
}


@settings(max_examples=25, deadline=None)
@given(
    taken=st.sampled_from(sorted(DIAGONALS)),
    batches=st.sampled_from([((3,), (3,)), ((), (3,)), ((3,), ()), ((2, 1), (3,)), ((2, 3), (2, 3)), ((), ())]),
    size=st.integers(4, 7),
    inner=st.integers(1, 6),
    turned=st.booleans(),
    scale=st.sampled_from([None, 0.5]),
)
def test_diagonals(check, taken, batches, size, inner, turned, scale):
    a = torch.randn(*batches[0], size, inner).double()
    b = torch.randn(*batches[1], *((size, inner) if turned else (inner, size))).double()

    def function(a, b):
        product = a @ (b.mT if turned else b)
        return DIAGONALS[taken](product if scale is None else product * scale)

    _, applied = check(ProductDiagonal(), function, [a, b], times=1)
    assert applied[0].flops_removed > 0


@pytest.mark.parametrize("product", [torch.matmul, torch.mm])
@pytest.mark.parametrize("taken", [torch.trace, torch.diag, lambda p: torch.einsum("ii->i", p)])
def test_of_one_matrix(check, product, taken):
    a, b = torch.randn(5, 3).double(), torch.randn(3, 5).double()
    check(ProductDiagonal(), lambda a, b: taken(product(a, b)), [a, b], times=1)


@pytest.mark.parametrize("sizes", [(4, 7), (7, 4)])
def test_of_products_that_are_not_square(check, sizes):
    a, b = torch.randn(2, sizes[0], 3).double(), torch.randn(2, 3, sizes[1]).double()
    check(ProductDiagonal(), lambda a, b: torch.diagonal(a @ b, 0, 1, 2), [a, b], times=1)
    check(ProductDiagonal(), lambda a, b: torch.trace(a[0] @ b[1]), [a, b], times=1)


def test_leaves_others_alone(check):
    a, b = torch.randn(5, 5, 5).double(), torch.randn(5, 5, 5).double()
    for function in (
        lambda a, b: torch.diagonal(a @ b),
        lambda a, b: torch.diagonal(a @ b, 1, 1, 2),
        lambda a, b: torch.diagonal(a[:, :3] @ b[:, :, :3], 0, 1, 2),
        lambda a, b: torch.diagonal(p := a @ b, 0, 1, 2) + p.sum(1),
        lambda a, b: torch.diagonal(a + b, 0, 1, 2),
        lambda a, b: torch.diag(a[0] @ b[0], 1),
        lambda a, b: torch.einsum("bii->ib", a @ b),
        lambda a, b: torch.einsum("iib->ib", a @ b),
        lambda a, b: torch.diagonal((a @ b).exp(), 0, 1, 2),
    ):
        check(ProductDiagonal(), function, [a, b], times=0)


def test_leaves_types_of_few_bits_alone(sketch):
    a = torch.randn(8, 8).bfloat16()
    assert apply_rules(sketch(lambda a: (a @ a).trace(), {}, [a]), [ProductDiagonal()], training=False) == []


class Pairs(torch.nn.Module):
    """How well each sample's query fits its own key, where there are as many queries as keys or not."""

    def forward(self, x, y):
        return torch.sigmoid((x @ y.T).diagonal()) + 1


def test_two_batches():
    x, y = torch.randn(5, 6).double(), torch.randn(5, 6).double()
    captured = capture(Pairs(), Inputs(args=(x, y), kwargs={})).copy()
    applied = apply_rules(captured.graph, RULES, training=False)
    assert "diagonal of a matrix product" in [each.rule.name for each in applied]
    for pair in ((x, y), (x[:3], y), (torch.cat((x, x)), y)):
        expected = torch.sigmoid((pair[0] @ pair[1].T).diagonal()) + 1
        (found,) = captured.graph(*pair)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


class Scores(torch.nn.Module):
    """How well each sample's query fits its own key."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key = torch.nn.Linear(6, 8), torch.nn.Linear(6, 8)

    def forward(self, x):
        return torch.sigmoid((self.query(x) @ self.key(x).T / 8**0.5).diagonal())


def test_any_batch():
    inputs, larger = (Inputs(args=(torch.randn(count, 6).double(),), kwargs={}) for count in (5, 9))
    captured = capture(Scores().double(), inputs).copy()
    expected = captured.call(larger)
    applied = apply_rules(captured.graph, RULES, training=False)
    assert "diagonal of a matrix product" in [each.rule.name for each in applied]
    torch.testing.assert_close(captured.call(larger), expected, rtol=1e-10, atol=1e-10)
