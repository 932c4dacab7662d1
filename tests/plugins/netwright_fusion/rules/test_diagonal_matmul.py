"""Products with diagonal matrices."""

import torch

from netwright_fusion.rules.diagonal_matmul import DiagonalMatmul


def test_diagonals(check):
    a, b = torch.randn(4).double(), torch.randn(4, 4).double()
    for function in (
        lambda a, b: torch.diag(a) @ b,
        lambda a, b: torch.matmul(b, torch.diag(a)),
        lambda a, b: torch.mm(torch.diag_embed(a), b),
    ):
        _, applied = check(DiagonalMatmul(), function, [a, b], times=1)
        assert applied[0].flops_removed > 0


def test_leaves_other_diagonals_alone(check):
    a, b = torch.randn(4).double(), torch.randn(4, 4).double()
    check(DiagonalMatmul(), lambda a, b: torch.diag(a[:3], 1) @ b, [a, b], times=0)
    check(DiagonalMatmul(), lambda b: torch.diag(b) @ b, [b], times=0)
    check(DiagonalMatmul(), lambda a, b: (d := torch.diag(a)) @ b + d, [a, b], times=0)
