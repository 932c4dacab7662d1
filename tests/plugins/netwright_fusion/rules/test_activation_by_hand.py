"""Activations spelt out."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.rules.activation_by_hand import ActivationByHand, GeluByHand
from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.catalogue import RULES
from netwright_fusion.rules.infinity import FINITE_INPUTS

ROOT = math.sqrt(2.0 / math.pi)
WRITTEN = {
    "silu": lambda x: x * torch.sigmoid(x),
    "silu, other way": lambda x: x.sigmoid() * x,
    "silu, divided": lambda x: x / (1 + torch.exp(-x)),
    "sigmoid": lambda x: 1 / (1 + torch.exp(-1.0 * x)),
    "approximate gelu": lambda x: 0.5 * x * (1.0 + torch.tanh(ROOT * (x + 0.044715 * torch.pow(x, 3.0)))),
    "approximate gelu, factored": lambda x: 0.5 * x * (1 + torch.tanh(x * 0.7978845608028654 * (1 + 0.044715 * x * x))),
    "approximate gelu, cubed": lambda x: x * 0.5 * (torch.tanh((x * x * x * 0.044715 + x) * ROOT) + 1.0),
    "mish": lambda x: x * torch.tanh(F.softplus(x)),
    "mish, of exponentials": lambda x: x * torch.tanh(torch.log(1 + torch.exp(x))),
    "mish, of one logarithm": lambda x: torch.log1p(x.exp()).tanh() * x,
    "hard-swish": lambda x: x * F.relu6(x + 3) / 6,
    "hard-swish, clamped": lambda x: x * torch.clamp(3.0 + x, 0, 6) * (1 / 6),
}
GELU = {
    "gelu": lambda x: x * 0.5 * (1.0 + torch.erf(x / math.sqrt(2.0))),
    "gelu by its distribution": lambda x: x * (0.5 * (torch.erf(x * 0.7071067811865475) + 1)),
    "gelu, halved at last": lambda x: x * (1 + (x / math.sqrt(2)).erf()) / 2,
}


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_ways_to_write_it(check, name):
    x = torch.randn(4, 50).double() * 4
    _, applied = check(ActivationByHand(), lambda x: WRITTEN[name](x.cos() * x), [x], times=1)
    assert applied[0].bytes_removed > 0


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_extremes_in_single_precision(sketch, name):
    x = torch.tensor([0.0, -0.0, 1e-30, -1e-30, 20.0, -20.0, 90.0, -90.0, math.inf, -math.inf, math.nan])
    graph = sketch(WRITTEN[name], {}, [x])
    assert apply_rules(graph, [ActivationByHand()], training=False)
    torch.testing.assert_close(graph(x), WRITTEN[name](x), rtol=1e-6, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("name", sorted(GELU))
def test_gelu_of_finite_inputs(sketch, name):
    x = torch.cat([torch.randn(50).double() * 4, torch.tensor([0.0, 90.0, -90.0, math.nan]).double()])
    graph = sketch(GELU[name], {}, [x])
    (applied,) = apply_rules(graph, [ActivationByHand(), GeluByHand()], training=False)
    assert applied.bytes_removed > 0
    assert graph.meta[FINITE_INPUTS]
    torch.testing.assert_close(graph(x), GELU[name](x), rtol=1e-10, atol=1e-10, equal_nan=True)


def test_leaves_others_alone(check):
    x = torch.randn(4, 5).double()
    for function in (
        lambda x: x * torch.sigmoid(2 * x),
        lambda x: 2 * x * torch.sigmoid(x),
        lambda x: x * 0.5 * (1.0 + torch.erf(x / 1.5)),
        lambda x: x * (1.0 + torch.erf(x / math.sqrt(2.0))),
        lambda x: 0.5 * x * (1.0 + torch.tanh(ROOT * (x + 0.05 * torch.pow(x, 3.0)))),
        lambda x: 0.5 * x * (1.0 - torch.tanh(ROOT * (x + 0.044715 * torch.pow(x, 3.0)))),
        lambda x: x * torch.tanh(F.softplus(x, beta=2)),
        lambda x: x * F.relu6(x + 2) / 6,
        lambda x: x.cos() * torch.sigmoid(x),
        lambda x: x.cos() / (1 + torch.exp(-x)),
        lambda x: x / (1 + torch.exp(x)),
        lambda x: x / (2 + torch.exp(-x)),
        lambda x: x / (y := 1 + torch.exp(-x)) + y,
        lambda x: x * torch.tanh(torch.log(1 + torch.exp(-x))),
        lambda x: x * (y := torch.sigmoid(x)) + y,
    ):
        check([ActivationByHand(), GeluByHand()], function, [x], times=0)


class Feed(nn.Module):
    """The feed-forward part of a language model with GPT-2's activation, written as its authors did."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(6, 12), nn.Linear(12, 6)

    def forward(self, x):
        x = self.up(x)
        x = 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0))))
        return self.down(x)


def test_feed_forward():
    torch.manual_seed(0)
    inputs = Inputs(args=(torch.randn(4, 6).double(),), kwargs={})
    captured = capture(Feed().double(), inputs).copy()
    expected = captured.call(inputs)
    applied = apply_rules(captured.graph, RULES, training=True)
    assert [each.rule.name for each in applied] == ["activation by hand"]
    torch.testing.assert_close(captured.call(inputs), expected, rtol=1e-10, atol=1e-10)
