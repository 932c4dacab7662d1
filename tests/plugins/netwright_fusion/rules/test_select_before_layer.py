"""Rows and channels that nobody reads."""

import torch
from torch.nn import functional as F

from netwright_fusion.rules.select_before_layer import SelectChannels, SelectRowsBeforeLinear


def test_rows(check):
    x, weight = torch.randn(2, 5, 3).double(), torch.randn(4, 3).double()
    for pick in (lambda y: y[:, -1], lambda y: y[:, 1:3].cos(), lambda y: y[:1]):
        _, applied = check(
            SelectRowsBeforeLinear(), lambda x, weight, pick=pick: pick(F.linear(x, weight)), [x], weight=weight
        )
        assert applied[0].flops_removed > 0
    check(SelectRowsBeforeLinear(), lambda x, weight: F.linear(x, weight)[..., 1], [x], times=0, weight=weight)
    check(
        SelectRowsBeforeLinear(),
        lambda x, weight: (y := F.linear(x, weight))[:, -1] + y.sum(),
        [x],
        times=0,
        weight=weight,
    )


def test_channels(check):
    x, weight, bias = torch.randn(2, 3, 6, 6).double(), torch.randn(4, 3, 3, 3).double(), torch.randn(4).double()
    parameters = {"weight": weight, "bias": bias}
    for layer in (F.conv2d, lambda x, w, b: F.conv_transpose2d(x, w.transpose(0, 1), b)):
        check(SelectChannels(), lambda x, weight, bias, f=layer: f(x, weight, bias)[:, 1:3].cos(), [x], **parameters)
    check(SelectChannels(), lambda x, weight, bias: F.conv2d(x, weight, bias)[:, :, 1:3], [x], times=0, **parameters)
    check(
        SelectChannels(),
        lambda x, weight, bias: F.linear(x, weight[:, 0, 0, :1] @ bias[: 6 // 3].view(1, 2).repeat(1, 3), bias)[
            ..., :2
        ].cos(),
        [x],
        **parameters,
    )
