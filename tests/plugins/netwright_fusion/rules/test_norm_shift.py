"""Shifts and biases that normalisations cancel."""

import torch
from torch.nn import functional as F

from netwright_fusion.rules.norm_shift import NormBias, NormShift


def test_cancelled_shifts(check):
    x, p = torch.randn(2, 4, 5, 6).double(), torch.randn(4, 1, 1).double()
    for function in (
        lambda x, p: F.instance_norm(x + p),
        lambda x, **_: F.instance_norm(x - 3.0),
        lambda x, p: F.group_norm(x + p, 4),
        lambda x, **_: F.group_norm(x + 1.5, 2),
        lambda x, p: F.layer_norm(x + p, (5, 6)),
        lambda x, p: F.softmax(x + p, 2),
        lambda x, p: F.log_softmax(x - p, -1),
    ):
        check(NormShift(), function, [x], times=1, p=p)


def test_leaves_other_shifts_alone(check):
    x, p = torch.randn(2, 4, 5, 6).double(), torch.randn(4, 1, 1).double()
    for function in (
        lambda x, p: F.group_norm(x + p, 2),
        lambda x, p: F.layer_norm(x + p, (4, 5, 6)),
        lambda x, p: F.softmax(x + p, 1),
        lambda x, p: F.softmax(x * p, 2),
        lambda x, p: F.instance_norm(x + p, p.flatten(), p.flatten().abs(), use_input_stats=False),
        lambda x, p: (y := x + p) + F.instance_norm(y),
    ):
        check(NormShift(), function, [x], times=0, p=p)


def test_cancelled_biases(check):
    x, weight, bias = torch.randn(2, 3, 6, 6).double(), torch.randn(4, 3, 3, 3).double(), torch.randn(4).double()
    parameters = {"weight": weight, "bias": bias}
    check(NormBias(), lambda x, weight, bias: F.instance_norm(F.conv2d(x, weight, bias)), [x], times=1, **parameters)
    check(NormBias(), lambda x, weight, bias: F.group_norm(F.conv2d(x, weight, bias), 4), [x], times=1, **parameters)
    check(NormBias(), lambda x, weight, bias: F.group_norm(F.conv2d(x, weight, bias), 2), [x], times=0, **parameters)
    check(NormBias(), lambda x, weight, bias: F.softmax(F.conv2d(x, weight, bias), 2), [x], times=0, **parameters)
