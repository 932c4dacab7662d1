"""What is computed twice."""

import torch
from torch.nn import functional as F

from netwright_fusion.rules.common_subexpression import CommonSubexpression


def test_repeated_calls(check):
    x, weight = torch.randn(2, 3).double(), torch.randn(4, 3).double()
    check(
        CommonSubexpression(),
        lambda x, weight: F.linear(x, weight).cos() * F.linear(x, weight).sin(),
        [x],
        times=1,
        weight=weight,
    )
    check(CommonSubexpression(), lambda x: x.exp().sum(1) + x.exp().sum(1), [x], times=2)


def test_leaves_outputs_and_other_arguments_alone(check):
    x = torch.randn(2, 3).double()
    check(CommonSubexpression(), lambda x: (x.exp(), x.exp()), [x], times=0)
    check(CommonSubexpression(), lambda x: x.sum(1) + x.sum(1, keepdim=True), [x], times=0)
    check(CommonSubexpression(), lambda x: x * 1 + x * 1.0 + x * True, [x], times=0)


def test_leaves_random_draws_alone(check):
    torch.manual_seed(0)
    x = torch.zeros(2, 3).double()
    check(CommonSubexpression(), lambda x: F.dropout(x, 0.5) + F.dropout(x, 0.5), [x], times=0)


def test_zeros_of_both_signs_are_two_constants(check):
    x = torch.rand(5).double() + 1
    check(CommonSubexpression(), lambda x: ((x / -0.0) + 1, (x / 0.0) + 2), [x], times=0)
