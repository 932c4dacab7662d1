"""Scales and shifts moved behind reductions and pools."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.affine_after_reduction import (
    AffineAfterAveragePool,
    AffineAfterReduction,
    EvalBatchNormAfterAverage,
)


@settings(max_examples=16, deadline=None)
@given(
    operation=st.sampled_from(["mul", "div", "add", "sub"]),
    operand=st.sampled_from([2.5, "channels", "scalar"]),
    kind=st.sampled_from(["sum", "mean"]),
    dims=st.sampled_from([(2, 3), (-1,), (3, 0)]),
    keepdim=st.booleans(),
)
def test_after_reductions(check, operation, operand, kind, dims, keepdim):
    x = torch.randn(2, 3, 4, 5).double()
    shapes = {"channels": (3, 1, 1), "scalar": ()}
    parameters = {"operand": torch.rand(shapes[operand]).double() + 0.5} if isinstance(operand, str) else {}

    def function(x, operand=operand):
        return getattr(torch, kind)(getattr(torch, operation)(x, operand), dims, keepdim=keepdim)

    check(AffineAfterReduction(), function, [x], times=1, **parameters)


def test_extrema_take_shifts_and_positive_scales(check):
    x = torch.randn(2, 3, 4).double()
    check(AffineAfterReduction(), lambda x: torch.amax(x * 2, 1), [x], times=1)
    check(AffineAfterReduction(), lambda x: torch.amin(x + 2, 1), [x], times=1)
    check(AffineAfterReduction(), lambda x: torch.amax(x * -2, 1), [x], times=0)
    check(AffineAfterReduction(), lambda x, p: torch.amax(x * p, 1), [x], times=0, p=torch.ones(()).double())


def test_leaves_what_varies_along_the_reduction_alone(check):
    x = torch.randn(2, 3, 4).double()
    check(AffineAfterReduction(), lambda x, p: (x * p).sum(2), [x], times=0, p=torch.randn(4).double())
    check(AffineAfterReduction(), lambda x: (x * 0.0).sum(2), [x], times=0)


def test_after_average_pools(check):
    x, p = torch.randn(2, 3, 6, 6).double(), torch.rand(3, 1, 1).double()
    rule = AffineAfterAveragePool()
    check(rule, lambda x, p: F.avg_pool2d(x * p, 2), [x], times=1, p=p)
    check(rule, lambda x, p: F.avg_pool2d(x + p, 3, 2), [x], times=1, p=p)
    check(rule, lambda x, p: F.avg_pool2d(x * p, 2, padding=1), [x], times=1, p=p)
    check(rule, lambda x, p: F.avg_pool2d(x + p, 2, padding=1), [x], times=0, p=p)
    check(rule, lambda x, p: F.avg_pool2d(x * p[0], 2), [x], times=1, p=p)
    check(rule, lambda x, p: F.avg_pool2d(x * p, 2), [x], times=0, p=torch.rand(6, 1).double())


def test_batch_norm_after_averages(check):
    x = torch.randn(2, 3, 6, 6).double()
    statistics = {"mean": torch.randn(3).double(), "var": torch.rand(3).double() + 0.1}
    rule = EvalBatchNormAfterAverage()
    check(rule, lambda x, mean, var: F.avg_pool2d(F.batch_norm(x, mean, var), 2), [x], times=1, **statistics)
    check(rule, lambda x, mean, var: F.batch_norm(x, mean, var).mean((2, 3), keepdim=True), [x], times=1, **statistics)
    check(rule, lambda x, mean, var: F.batch_norm(x, mean, var).mean((1, 3), keepdim=True), [x], times=0, **statistics)
    check(rule, lambda x: F.avg_pool2d(F.batch_norm(x, None, None, training=True), 2), [x], times=0)
