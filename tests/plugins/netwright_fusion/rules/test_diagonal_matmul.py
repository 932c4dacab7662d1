"""Products with diagonal matrices."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.catalogue import RULES
from netwright_fusion.rules.diagonal_matmul import DiagonalMatmul
from netwright_fusion.rules.einsum_as_product import EinsumAsProduct


def test_diagonals(check):
    a, b = torch.randn(4).double(), torch.randn(4, 4).double()
    for function in (
        lambda a, b: torch.diag(a) @ b,
        lambda a, b: torch.matmul(b, torch.diag(a)),
        lambda a, b: torch.mm(torch.diag_embed(a), b),
        lambda a, b: torch.diag(a).T @ b.T,
        lambda a, b: torch.diag(a) @ b[0],
        lambda a, b: b[0] @ torch.diag(a),
        lambda a, b: (d := torch.diag(a)) @ b + d,
    ):
        _, applied = check(DiagonalMatmul(), function, [a, b], times=1)
        assert applied[0].flops_removed > 0


@settings(max_examples=25, deadline=None)
@given(
    batches=st.sampled_from([((3,), (3,)), ((), (3,)), ((3,), ()), ((2, 1), (3,)), ((2, 3), (2, 3)), ((3,), (2, 1))]),
    size=st.integers(1, 5),
    others=st.integers(1, 5),
    rows=st.booleans(),
    turned=st.booleans(),
)
def test_batches_of_diagonals(check, batches, size, others, rows, turned):
    a = torch.randn(*batches[0], size).double()
    b = torch.randn(*batches[1], *((size, others) if rows else (others, size))).double()

    def function(a, b):
        diagonal = torch.diag_embed(a)
        diagonal = diagonal.transpose(-2, -1) if turned else diagonal
        return diagonal @ b if rows else b @ diagonal

    check(DiagonalMatmul(), function, [a, b], times=1)


@pytest.mark.parametrize("special", [float("inf"), -float("inf"), float("nan"), 1e308])
def test_special_values_go_as_far_as_they_did(sketch, special):
    a, b = torch.tensor([0.0, 0.5, -1.0]).double(), torch.randn(2, 3, 4).double()
    b[0, 1, 2], b[1, 0, 1], b[1, 2, 1] = special, special, -special
    for function in (lambda a, b: torch.diag(a) @ b, lambda a, b: b.mT @ torch.diag(a)):
        graph = sketch(function, {}, [a, b])
        assert apply_rules(graph, [DiagonalMatmul()], training=False)
        ours, theirs = graph(a, b), function(a, b)
        assert torch.equal(ours.isfinite(), theirs.isfinite())
        torch.testing.assert_close(ours[ours.isfinite()], theirs[theirs.isfinite()])


CUT_OUT = {
    "row": lambda a: torch.eye(3, dtype=a.dtype) * a,
    "rows": lambda a: torch.stack((a, -a))[:, None] * torch.eye(3, dtype=a.dtype),
    "column": lambda a: torch.eye(3, dtype=a.dtype) * a[:, None],
    "columns": lambda a: torch.stack((a, -a)).unsqueeze(-1) * torch.eye(3, dtype=a.dtype),
    "turned": lambda a: (torch.eye(3, dtype=a.dtype) * a[:, None]).mT,
}
SIDES = (lambda d, b: d @ b, lambda d, b: b.mT @ d, lambda d, b: d @ b[0, :, 0], lambda d, b: b[0, :, 0] @ d)


@pytest.mark.parametrize("kind", sorted(CUT_OUT))
@pytest.mark.parametrize("product", SIDES)
def test_identity_times_a_vector(check, kind, product):
    a, b = torch.randn(3).double(), torch.randn(2, 3, 4).double()

    def function(a, b):
        return product(CUT_OUT[kind](a), b)

    check(DiagonalMatmul(), function, [a, b], times=1)


def test_einsums(check):
    a, b = torch.randn(2, 4).double(), torch.randn(2, 5, 4).double()
    rules = [EinsumAsProduct(), DiagonalMatmul()]
    check(rules, lambda a, b: torch.einsum("bik,bkj->bij", b, torch.diag_embed(a)), [a, b], times=2)
    check(rules, lambda a, b: torch.einsum("bik,bjk->bij", torch.diag_embed(a), b), [a, b], times=2)


def test_leaves_other_diagonals_alone(check):
    a, b = torch.randn(4).double(), torch.randn(4, 4).double()
    check(DiagonalMatmul(), lambda a, b: torch.diag(a[:3], 1) @ b, [a, b], times=0)
    check(DiagonalMatmul(), lambda b: torch.diag(b) @ b, [b], times=0)
    check(DiagonalMatmul(), lambda a, b: torch.diag_embed(a[:3], 1) @ b, [a, b], times=0)
    check(DiagonalMatmul(), lambda b: torch.diag_embed(b, dim1=0) @ b, [b], times=0)
    check(DiagonalMatmul(), lambda b: (torch.eye(4, dtype=b.dtype) * b) @ b, [b], times=0)
    check(DiagonalMatmul(), lambda a, b: (torch.eye(4, dtype=b.dtype) + a) @ b, [a, b], times=0)
    check(DiagonalMatmul(), lambda a, b: (torch.eye(4, dtype=b.dtype) * a[0]) @ b, [a, b], times=0)


class Gates(torch.nn.Module):
    """Columns of a table scaled, and then everything by a number."""

    def __init__(self) -> None:
        super().__init__()
        self.gates = torch.nn.Parameter(torch.randn(6))

    def forward(self, x):
        return (x @ torch.diag(self.gates) * 0.5).view(-1)


def test_a_diagonal_of_weights_becomes_no_layer():
    inputs = Inputs(args=(torch.randn(4, 6).double(),), kwargs={})
    captured = capture(Gates().double(), inputs).copy()
    expected = captured.call(inputs)
    applied = apply_rules(captured.graph, RULES, training=False)
    assert "product with a diagonal matrix" in [each.rule.name for each in applied]
    torch.testing.assert_close(captured.call(inputs), expected, rtol=1e-10, atol=1e-10)
