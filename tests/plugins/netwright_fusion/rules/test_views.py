"""Views in a row, and linear layers between views."""

import torch
from torch.nn import functional as F

from netwright_fusion.rules.linear_rows import LinearRows
from netwright_fusion.rules.views import LinearOfMergedRows, ViewOfView


def test_views_of_views(check):
    x = torch.randn(2, 3, 4).double()
    check(ViewOfView(), lambda x: x.flatten(0, 1).view(2, 6, 2).cos(), [x], times=1)
    check(ViewOfView(), lambda x: x.transpose(1, 2).reshape(8, 3).reshape(2, -1, 3).cos(), [x], times=1)
    check(ViewOfView(), lambda x: (y := x.view(6, 4)).view(-1, 2).sum() + y, [x], times=0)
    check(ViewOfView(), lambda x: x.transpose(1, 2).view(2, 4, 3).cos(), [x], times=0)


def test_rows_that_stay_divided(check):
    x, weight, bias = torch.randn(2, 3, 4).double(), torch.randn(5, 4).double(), torch.randn(5).double()

    def function(x, weight, bias):
        return F.linear(x.cos().view(-1, 4), weight, bias).view(2, 3, 5).mean(1)

    _, applied = check(
        [ViewOfView(), LinearOfMergedRows(), LinearRows()], function, [x], times=3, weight=weight, bias=bias
    )
    assert sum(each.flops_removed for each in applied) == 2 * 2 * 4 * 5 * (3 - 1)


def test_leaves_other_views_alone(check):
    x, weight = torch.randn(2, 3, 4).double(), torch.randn(6, 4).double()
    for function in (
        lambda x, weight: F.linear(x.view(6, 4), weight).view(3, 3, 4),
        lambda x, weight: F.linear(x, weight).view(2, 3, 2, 3),
        lambda x, weight: F.linear(x.view(6, 4), weight).relu().view(2, 3, 6),
        lambda x, weight: F.linear(x.cos().view(6, 4), weight).view(36),
    ):
        check(LinearOfMergedRows(), function, [x], times=0, weight=weight)
