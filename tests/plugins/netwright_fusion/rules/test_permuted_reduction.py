"""Reductions of permuted tensors."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.flattened_reduction import FlattenedReduction
from netwright_fusion.rules.mean_before_convolution import MeanBeforeConvolution
from netwright_fusion.rules.permuted_reduction import PermutedReduction


@settings(max_examples=20, deadline=None)
@given(
    order=st.permutations(range(4)),
    dims=st.sets(st.integers(0, 3), min_size=1),
    kind=st.sampled_from(["sum", "mean", "amax"]),
    keepdim=st.booleans(),
)
def test_permutations(check, order, dims, kind, keepdim):
    x = torch.randn(2, 3, 4, 5).double()
    reduce = {"sum": torch.sum, "mean": torch.mean, "amax": torch.amax}[kind]
    check(PermutedReduction(), lambda x: reduce(x.permute(*order), tuple(dims), keepdim=keepdim), [x], times=1)


def test_leaves_shared_permutations_alone(check):
    x = torch.randn(2, 3, 4).double()
    check(PermutedReduction(), lambda x: (y := x.transpose(1, 2)).mean(1, keepdim=True) + y, [x], times=0)
    check(PermutedReduction(), lambda x: x.transpose(1, 2).cos().mean(1), [x], times=0)


def test_tokens_of_an_image(check):
    x, weight = torch.randn(2, 3, 8, 8).double(), torch.randn(6, 3, 4, 4).double()
    rules = [PermutedReduction(), FlattenedReduction(), MeanBeforeConvolution()]

    def function(x, weight):
        return F.conv2d(x, weight, stride=4).flatten(2).transpose(1, 2).mean(1)

    _, applied = check(rules, function, [x], times=3, weight=weight)
    assert sum(each.flops_removed for each in applied) == 2 * 2 * 6 * 48 * (4 - 1)
