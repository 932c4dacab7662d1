"""Triangles of products."""

import torch
from torch import nn

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.triangular_matmul import TriangularMatmul


def test_triangles(check):
    a, b = torch.randn(301, 7).double(), torch.randn(7, 301).double()
    for function in (lambda a, b: torch.tril(a @ b), lambda a, b: torch.triu(torch.mm(a, b))):
        _, applied = check(TriangularMatmul(), function, [a, b], times=1)
        assert applied[0].flops_removed > 0.4 * 2 * 301 * 7 * 301


def test_any_number_of_rows(check):
    a, b = torch.randn(180, 3).double(), torch.randn(3, 300).double()
    for rows in (a, torch.cat([a, a])):
        for triangle in (torch.tril, torch.triu):
            check(TriangularMatmul(), lambda a, b, triangle=triangle: triangle(a @ b), [rows, b], times=1)


def test_rows_that_depend_on_the_batch():
    captured = capture(Lower(), Inputs(args=(torch.randn(320, 5), torch.randn(5, 320)), kwargs={})).copy()
    assert apply_rules(captured.graph, [TriangularMatmul()], training=False)
    for count in (3, 320, 500):
        a, b = torch.randn(count, 5), torch.randn(5, 320)
        torch.testing.assert_close(captured.graph(a, b)[0], torch.tril(a @ b))


def test_leaves_other_triangles_alone(check):
    a, b = torch.randn(301, 3).double(), torch.randn(3, 300).double()
    check(TriangularMatmul(), lambda a, b: torch.tril(a[:100] @ b), [a, b], times=0)
    check(TriangularMatmul(), lambda a, b: torch.tril(a[:9] @ b[:, :9]), [a, b], times=0)
    check(TriangularMatmul(), lambda a, b: torch.tril(a[:300] @ b, 1), [a, b], times=0)


class Lower(nn.Module):
    """The lower triangle of a product."""

    def forward(self, a, b):
        return torch.tril(a @ b)
