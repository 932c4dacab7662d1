"""Constants that a forward makes of numbers."""

from math import inf, nan

import pytest
import torch
from torch import nn

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.constant_as_number import ConstantAsNumber
from netwright_fusion.rules.redundant_clamp import ClampOfClamp


class Function(nn.Module):
    """A function of an input and a plain tensor as a module."""

    def __init__(self, function):
        super().__init__()
        self.function, self.plain = function, torch.tensor(0.5)

    def forward(self, x):
        return self.function(x, self.plain)


def applied_to(function, x, rules):
    """How often the rules apply to a captured function; its values must stay."""
    module = Function(function)
    graph = capture(module, Inputs((x,))).graph
    applied = apply_rules(graph, rules, training=True)
    for special in (None, nan, inf, -inf):
        given = x.clone()
        if special is not None:
            given.view(-1)[3] = special
        (found,), expected = graph(given), module(given)
        assert found.dtype is expected.dtype
        torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)
    return len(applied)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "function",
    [
        lambda x, _: torch.min(x, torch.tensor(0.3)),
        lambda x, _: torch.max(torch.tensor(-0.1), x),
        lambda x, _: torch.minimum(x, torch.tensor(0)),
        lambda x, _: torch.maximum(x, torch.tensor(0.25, dtype=torch.float64)),
        lambda x, _: x * torch.tensor(1.7),
        lambda x, _: torch.tensor(0.1) + x,
        lambda x, _: x / torch.tensor(3.0),
        lambda x, _: torch.sub(x, torch.tensor(0.7), alpha=2),
    ],
)
def test_numbers(function, dtype):
    assert applied_to(function, torch.randn(3, 4).to(dtype), [ConstantAsNumber()]) == 1


def test_clamps_meet():
    rules = [ConstantAsNumber(), ClampOfClamp()]
    assert applied_to(lambda x, _: torch.min(x, torch.tensor(0.4)).clamp(0.0, 1.0), torch.randn(3, 4), rules) == 2


@pytest.mark.parametrize(
    "function",
    [
        lambda x, plain: torch.min(plain, x),
        lambda x, _: torch.min(x, torch.tensor([0.3])),
        lambda x, _: torch.min(x, torch.tensor(nan)),
        lambda x, _: torch.min(x.sum(), torch.tensor(0.3)),
        lambda x, _: torch.tensor(1.0) / x.exp(),
        lambda x, _: torch.tensor(1.0) - x,
        lambda x, _: x * torch.tensor(1.0).add_(1),
        lambda x, _: (x > 0).long() * torch.tensor(2),
        lambda x, _: (x > 0).long() * torch.tensor(2.5),
    ],
)
def test_leaves_others_alone(function):
    assert applied_to(function, torch.randn(3, 4), [ConstantAsNumber()]) == 0
