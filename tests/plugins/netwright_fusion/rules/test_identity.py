"""Operators that return what they are given."""

import torch
from torch.nn import functional as F

from netwright_fusion.rules.identity import Detached, DoubleTranspose, Identity, SingletonReduction


def test_identities(check):
    x = torch.randn(2, 3, 4).double()
    for function in (
        lambda x: F.dropout(x.exp(), 0.5, training=False) * 2,
        lambda x: F.dropout(x.exp(), 0.0, training=True) * 2,
        lambda x: x.exp() * 1.0,
        lambda x: x.exp() / 1,
        lambda x: (x.exp() + 0).sum(1),
        lambda x: x.exp().view(2, 3, 4).cos(),
        lambda x: F.max_pool1d(x.exp(), 1).cos(),
        lambda x: x.exp().clone().cos(),
        lambda x: x.clone() + 1,
        lambda x: x.transpose(0, 1).clone(memory_format=torch.preserve_format).cos(),
    ):
        check(Identity(), function, [x], times=1)


def test_leaves_what_must_be_new_memory_alone(check):
    x = torch.randn(2, 3, 4).double()
    check(Identity(), lambda x: x * 1.0, [x], times=0)
    check(Identity(), lambda x: (x * 1.0).view(6, 4), [x], times=0)
    check(Identity(), lambda x: ((y := x.exp()), y + 0), [x], times=0)
    check(Identity(), lambda x: x.exp() * 2, [x], times=0)
    check(Identity(), lambda x: x.exp().view(6, 4), [x], times=0)
    check(Identity(), lambda x: x.clone(), [x], times=0)
    check(Identity(), lambda x: ((y := x.exp()), y.clone()), [x], times=0)
    check(Identity(), lambda x: x.transpose(0, 1).clone(memory_format=torch.contiguous_format).cos(), [x], times=0)


def test_detached_tensors(check):
    x = torch.randn(2, 3, 4).double()
    check(Detached(), lambda x: x.exp().detach().cos(), [x], times=1)
    check(Detached(), lambda x: x.detach() + x, [x], times=1)
    check(Detached(), lambda x: x.exp().detach(), [x], times=0)


def test_reductions_of_one_element(check):
    x = torch.randn(2, 1, 4).double()
    for function in (
        lambda x: x.exp().sum(1, keepdim=True).cos(),
        lambda x: x.exp().mean(1).cos(),
        lambda x: torch.amax(x.exp(), 1, keepdim=True),
        lambda x: torch.logsumexp(x.exp(), 1, keepdim=True),
        lambda x: torch.logsumexp(x.exp(), 1).cos(),
    ):
        check(SingletonReduction(), function, [x], times=1)
    check(SingletonReduction(), lambda x: x.sum(2), [x], times=0)
    check(SingletonReduction(), lambda x: x.sum(1, keepdim=True), [x], times=0)


def test_permutations_of_permutations(check):
    x = torch.randn(2, 3, 4).double()
    check(DoubleTranspose(), lambda x: x.transpose(1, 2).transpose(2, 1).cos(), [x], times=1)
    check(DoubleTranspose(), lambda x: x.permute(2, 0, 1).transpose(0, 1).cos(), [x], times=1)
    check(DoubleTranspose(), lambda x: x[0].t().t().cos(), [x], times=1)
    check(DoubleTranspose(), lambda x: x.transpose(1, 2).cos().transpose(2, 1), [x], times=0)
