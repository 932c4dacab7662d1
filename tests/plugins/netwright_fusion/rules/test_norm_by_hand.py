"""Normalisations spelt out step by step."""

import pytest
import torch
from torch import nn

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.catalogue import RULES
from netwright_fusion.rules.common_subexpression import CommonSubexpression
from netwright_fusion.rules.norm_by_hand import NormByHand

EPS = 1e-3


def from_squares(x, dims):
    centred = x - x.mean(dims, keepdim=True)
    return centred / torch.sqrt(centred.pow(2).mean(dims, keepdim=True) + EPS)


def twice_centred(x, dims):
    mean = x.mean(dims, keepdim=True)
    variance = torch.square(x - mean).mean(dims, keepdim=True)
    return torch.rsqrt(EPS + variance) * (x - mean)


def biased(x, dims):
    return (x - x.mean(dims, keepdim=True)) * (x.var(dims, unbiased=False, keepdim=True) + EPS) ** -0.5


def scaled_first(x, dims):
    return -3 * (x - x.mean(dims, keepdim=True)) / torch.sqrt(x.var(dims, unbiased=False, keepdim=True) + EPS)


def unbiased(x, dims):
    return (x - x.mean(dims, keepdim=True)) / (x.var(dims, keepdim=True) + EPS).sqrt()


@pytest.mark.parametrize("write", [from_squares, twice_centred, biased, scaled_first, unbiased])
@pytest.mark.parametrize("dims", [-1, 1, (2, 3), (1, 2, 3), (1, 3)])
def test_ways_to_write_it(check, write, dims):
    x = torch.randn(2, 3, 4, 5).double()
    dims = dims if isinstance(dims, tuple) else (dims,)
    _, applied = check([CommonSubexpression(), NormByHand()], lambda x: write(x, dims), [x])
    assert applied[-1].rule.name == "normalisation by hand"
    assert applied[-1].bytes_removed > 0


def test_leaves_others_alone(check):
    x, p = torch.randn(2, 3, 4).double(), torch.rand(()).double()
    for function in (
        lambda x, **_: (x - x.mean(1, keepdim=True)) / torch.sqrt(x.var(2, keepdim=True) + EPS),
        lambda x, **_: (x - x.mean(2, keepdim=True)) / (x.std(2, keepdim=True) + EPS),
        lambda x, **_: (x - x.mean(2, keepdim=True)) / torch.sqrt(x.pow(2).mean(2, keepdim=True) + EPS),
        lambda x, **_: (x - x.mean(2, keepdim=True)) / torch.sqrt(x.var(2, keepdim=True)),
        lambda x, **_: (x - x.mean(2, keepdim=True)) * torch.sqrt(x.var(2, keepdim=True) + EPS),
        lambda x, p: (x - x.mean(2, keepdim=True)) / torch.sqrt(x.var(2, keepdim=True) + p),
        lambda x, **_: (c := x - x.mean(2, keepdim=True)) / torch.sqrt(x.var(2, keepdim=True) + EPS) + c,
    ):
        check(NormByHand(), function, [x], times=0, p=p)


class ChannelNorm(nn.Module):
    """A norm over the channels of an image, as ConvNeXt has it (Liu et al. 2022), after a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)
        self.weight, self.bias = nn.Parameter(torch.rand(6)), nn.Parameter(torch.rand(6))

    def forward(self, x):
        x = self.conv(x)
        mean = x.mean(1, keepdim=True)
        variance = (x - mean).pow(2).mean(1, keepdim=True)
        x = (x - mean) / torch.sqrt(variance + 1e-6)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


class TokenNorm(nn.Module):
    """A norm over the width of each token, with a scale and shift of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.rand(8)), nn.Parameter(torch.rand(8))

    def forward(self, x):
        mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, unbiased=False)
        return self.scale * ((x - mean) / torch.sqrt(variance + 1e-5)) + self.shift


@pytest.mark.parametrize(("module", "sizes"), [(ChannelNorm, (2, 3, 7, 7)), (TokenNorm, (2, 5, 8))])
def test_modules(module, sizes):
    torch.manual_seed(0)
    inputs = Inputs(args=(torch.randn(sizes).double(),), kwargs={})
    captured = capture(module().double(), inputs).copy()
    expected = captured.call(inputs)
    applied = apply_rules(captured.graph, [rule for rule in RULES if not rule.measured], training=True)
    names = [each.rule.name for each in applied]
    assert "normalisation by hand" in names
    if module is TokenNorm:
        assert names.count("scale or shift into normalisation") == 2
    torch.testing.assert_close(captured.call(inputs), expected, rtol=1e-10, atol=1e-10)
