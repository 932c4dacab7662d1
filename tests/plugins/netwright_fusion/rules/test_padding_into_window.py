"""Zeros around images."""

import torch
from torch.nn import functional as F

from netwright_fusion.rules.padding_into_window import PaddingIntoWindow


def test_zeros(check):
    x, weight = torch.randn(2, 3, 6, 7).double(), torch.randn(4, 3, 3, 3).double()
    for function in (
        lambda x, weight: F.conv2d(F.pad(x, (1, 1, 1, 1)), weight),
        lambda x, weight: F.conv2d(F.pad(x, (2, 2)), weight, padding=1, stride=2),
        lambda x, weight: F.conv2d(F.pad(x, (0, 0, 3, 3)), weight, dilation=2),
        lambda x, **_: F.avg_pool2d(F.pad(x, (1, 1, 0, 0)), 3, stride=2),
        lambda x, **_: F.avg_pool2d(F.pad(x, (1, 1, 1, 1)), (4, 5), divisor_override=7),
        lambda x, **_: F.avg_pool1d(F.pad(x[0], (1, 1)), 4, padding=1),
    ):
        _, applied = check(PaddingIntoWindow(), function, [x], times=1, weight=weight)
        assert applied[0].bytes_removed > 0


def test_leaves_other_borders_alone(check):
    x, weight = torch.randn(2, 3, 6, 7).double(), torch.randn(4, 3, 3, 3).double()
    for function in (
        lambda x, weight: F.conv2d(F.pad(x, (0, 1, 0, 1)), weight),
        lambda x, weight: F.conv2d(F.pad(x, (1, 1, 1, 1), value=1.0), weight),
        lambda x, weight: F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), weight),
        lambda x, weight: F.conv2d(F.pad(x, (1, 1, 1, 1, 1, 1))[:, 1:4], weight),
        lambda x, weight: F.conv2d(F.pad(x[:, :1], (0, 0, 0, 0, 1, 1)), weight),
        lambda x, weight: F.conv2d(F.pad(x, (-1, -1)), weight),
        lambda x, weight: F.conv_transpose2d(F.pad(x, (1, 1)), weight.transpose(0, 1)),
        lambda x, **_: F.avg_pool2d(F.pad(x, (1, 1)), 1, stride=2),
        lambda x, **_: F.avg_pool2d(F.pad(x, (1, 1)), 4, padding=1, count_include_pad=False),
        lambda x, weight: F.conv2d(y := F.pad(x, (1, 1)), weight).sum() + y,
    ):
        check(PaddingIntoWindow(), function, [x], times=0, weight=weight)
