"""Triangles of products."""

import torch

from netwright_fusion.rules.triangular_matmul import TriangularMatmul


def test_triangles(check):
    a, b = torch.randn(301, 7).double(), torch.randn(7, 301).double()
    for function in (lambda a, b: torch.tril(a @ b), lambda a, b: torch.triu(torch.mm(a, b))):
        _, applied = check(TriangularMatmul(), function, [a, b], times=1)
        assert applied[0].flops_removed > 0.4 * 2 * 301 * 7 * 301


def test_leaves_other_triangles_alone(check):
    a, b = torch.randn(301, 3).double(), torch.randn(3, 300).double()
    check(TriangularMatmul(), lambda a, b: torch.tril(a @ b), [a, b], times=0)
    check(TriangularMatmul(), lambda a, b: torch.tril(a[:9] @ b[:, :9]), [a, b], times=0)
    check(TriangularMatmul(), lambda a, b: torch.tril(a[:300] @ b, 1), [a, b], times=0)
