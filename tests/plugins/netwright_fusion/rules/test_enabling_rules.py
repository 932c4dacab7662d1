"""Rules that bring others together: flattened reductions, sums of sums, products as linear layers."""

import torch
from torch.nn import functional as F

from netwright_fusion.rules.affine_into_weights import AffineIntoWeights
from netwright_fusion.rules.flattened_reduction import FlattenedReduction
from netwright_fusion.rules.linear_average_pool import LinearAveragePool
from netwright_fusion.rules.linear_sum import LinearSum
from netwright_fusion.rules.matmul_as_linear import MatmulAsLinear
from netwright_fusion.rules.sum_of_sum import SumOfSum


def test_flattened_reductions(check):
    x = torch.randn(2, 3, 4, 5).double()
    for function in (
        lambda x: x.view(2, 3, -1).mean(-1),
        lambda x: x.flatten(2).sum(2),
        lambda x: x.reshape(2, -1).mean(1),
        lambda x: torch.amax(x.flatten(2), 2),
    ):
        check(FlattenedReduction(), function, [x], times=1)


def test_leaves_other_views_alone(check):
    x = torch.randn(2, 3, 4, 5).double()
    for function in (
        lambda x: x.view(2, 3, -1).mean(1),
        lambda x: x.view(6, 4, 5).mean(-1),
        lambda x: x.view(2, 12, 5).mean(-1),
        lambda x: x.view(4, 3, -1).mean(-1),
        lambda x: x.flatten(2).sum(2, keepdim=True),
    ):
        check(FlattenedReduction(), function, [x], times=0)


def test_sums_of_sums(check):
    x, y, w = torch.randn(2, 4).double(), torch.randn(2, 4).double(), torch.randn(4, 4).double()
    for function in (
        lambda x, y, w: (F.linear(x, w) + y).sum(1),
        lambda x, y, w: (y - x @ w).mean(1, keepdim=True),
        lambda x, y, w: (F.linear(x, w) + y).sum(0),
        lambda x, y, w: (x @ w + y).mean(0),
    ):
        check(SumOfSum(), function, [x, y], times=1, w=w)
    _, applied = check([SumOfSum(), LinearSum()], lambda x, w: (F.linear(x, w) + x).sum(1), [x], times=2, w=w)
    assert sum(each.flops_removed for each in applied) > 0


def test_leaves_sums_without_layers_alone(check):
    x, y, w = torch.randn(2, 4).double(), torch.randn(2, 4).double(), torch.randn(4, 4).double()
    for function in (
        lambda x, y, w: (F.linear(x, w).relu() + y).sum(1),
        lambda x, y, w: (F.linear(x, w) + y)[:, None].sum(1),
        lambda x, y, w: (F.linear(x, w) + y[:1]).sum(1),
        lambda x, y, w: (F.linear(x, w) * y).sum(1),
    ):
        check(SumOfSum(), function, [x, y], times=0, w=w)


def test_products_as_linear_layers(check):
    x, w, b = torch.randn(2, 4).double(), torch.randn(4, 6).double(), torch.randn(6).double()
    check([MatmulAsLinear(), AffineIntoWeights()], lambda x, w, b: (x @ w) * 2 + b, [x], times=3, w=w, b=b)
    check([MatmulAsLinear(), AffineIntoWeights()], lambda x, w, b: torch.addmm(b, x, w) * 2, [x], times=2, w=w, b=b)
    rules = [MatmulAsLinear(), LinearAveragePool()]
    check(rules, lambda x, w: F.avg_pool1d(torch.mm(x, w).unsqueeze(1), 2), [x], times=2, w=w)
    check(MatmulAsLinear(), lambda x, w: torch.relu(x @ w), [x], times=0, w=w)
    check(MatmulAsLinear(), lambda x, w: (x @ x.t()) * w.sum(), [x], times=0, w=w)
