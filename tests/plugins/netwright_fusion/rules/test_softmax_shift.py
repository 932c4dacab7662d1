"""Maxima subtracted before softmax."""

import torch

from netwright_fusion.rules.softmax_shift import SoftmaxShift


def test_subtracted_maxima(check):
    x = torch.randn(2, 3, 4).double()
    check(SoftmaxShift(), lambda x: torch.softmax(x - x.amax(-1, keepdim=True), 2), [x], times=1)
    check(SoftmaxShift(), lambda x: torch.log_softmax(x - x.amax(1, keepdim=True), 1), [x], times=1)


def test_leaves_other_subtractions_alone(check):
    x = torch.randn(2, 3, 4).double()
    check(SoftmaxShift(), lambda x: torch.softmax(x - x.amax(1, keepdim=True), 2), [x], times=0)
    check(SoftmaxShift(), lambda x: torch.softmax(x - x.mean(2, keepdim=True), 2), [x], times=0)
