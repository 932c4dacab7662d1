"""ReLU and leaky ReLU spelt out."""

import math

import pytest
import torch
from torch.nn import functional as F

from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.infinity import FINITE_INPUTS
from netwright_fusion.rules.rectifier_by_hand import RectifierByHand, ReluByHand

EXTREMES = torch.tensor([0.0, -0.0, 1e-30, -1e-30, 20.0, -20.0, 3e38, -3e38, math.inf, -math.inf, math.nan])
LEAKY = {
    "chosen": lambda x: torch.where(x > 0, x, 0.1 * x),
    "chosen at 0, too": lambda x: torch.where(x >= 0, x, x / 10),
    "chosen the other way": lambda x: torch.where(x < 0, x * 0.1, x),
    "a steep slope": lambda x: torch.where(x <= 0, x * 3, x),
    "a falling slope": lambda x: torch.where(x > 0, x, -x),
    "maximum": lambda x: torch.maximum(x, 0.1 * x),
    "maximum, other way": lambda x: torch.max(0.1 * x, x),
    "minimum": lambda x: torch.minimum(x, 2 * x),
    "two halves": lambda x: F.relu(x) - 0.1 * F.relu(-x),
    "two equal halves": lambda x: torch.clamp(x, min=0) - torch.relu(-x),
}
RELU = {
    "chosen": lambda x: torch.where(x < 0, 0.0, x),
    "chosen from zeros": lambda x: torch.where(x <= 0, torch.zeros_like(x), x),
    "filled": lambda x: x.masked_fill(x < 0, 0),
    "maximum": lambda x: torch.maximum(x, torch.zeros_like(x)),
    "maximum, other way": lambda x: torch.max(torch.zeros(x.shape[-1], dtype=x.dtype), x),
}
FINITE = {
    "chosen": lambda x: torch.where(x > 0, x, 0.0),
    "chosen from zeros": lambda x: torch.where(x >= 0, x, torch.zeros_like(x)),
    "masked": lambda x: x * (x > 0),
    "masked by numbers": lambda x: (x > 0).float() * x,
}
OTHERS = {
    "another threshold": lambda x: torch.where(x > 1, x, 0.1 * x),
    "another value": lambda x: torch.where(x > 0, x, 1.0),
    "another slope above": lambda x: torch.where(x > 0, 2 * x, x),
    "another tensor": lambda x: torch.where(x.cos() > 0, x, 0.1 * x),
    "maximum with a steep slope": lambda x: torch.maximum(x, 2 * x),
    "minimum with a flat slope": lambda x: torch.minimum(x, 0.5 * x),
    "maximum with a mirror image": lambda x: torch.maximum(x, -x),
    "zeros in its stead": lambda x: torch.maximum(x, torch.ones_like(x)),
    "added halves": lambda x: F.relu(x) + 0.1 * F.relu(-x),
    "halves of two": lambda x: F.relu(x) - 0.1 * F.relu(-x.cos()),
    "mask of what is below": lambda x: x * (x < 0),
    "broadcast": lambda x: torch.maximum(x, torch.zeros(3, *x.shape, dtype=x.dtype)),
}


@pytest.mark.parametrize("function", [*LEAKY.values(), *RELU.values()], ids=[*LEAKY, *RELU])
def test_ways_to_write_it(check, sketch, function):
    check([RectifierByHand(), ReluByHand()], lambda x: function(x.cos() * x), [torch.randn(4, 11).double()], times=1)
    graph = sketch(function, {}, [EXTREMES])
    (applied,) = apply_rules(graph, [RectifierByHand()], training=False)
    assert applied.bytes_removed > 0
    assert FINITE_INPUTS not in graph.meta
    torch.testing.assert_close(graph(EXTREMES), function(EXTREMES), rtol=1e-6, atol=0, equal_nan=True)


@pytest.mark.parametrize("name", sorted(FINITE))
def test_of_finite_inputs(sketch, name):
    x = EXTREMES[EXTREMES.isfinite()]
    graph = sketch(FINITE[name], {}, [x])
    assert apply_rules(graph, [RectifierByHand()], training=False) == []
    assert apply_rules(graph, [ReluByHand()], training=False)
    assert graph.meta[FINITE_INPUTS]
    torch.testing.assert_close(graph(x), FINITE[name](x))


@pytest.mark.parametrize("name", sorted(FINITE))
def test_leaves_what_may_hide_special_values_alone(check, name):
    check(ReluByHand(), lambda x: FINITE[name](x.log()), [torch.rand(4, 11)], times=0, finite=True)


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_leaves_others_alone(check, name):
    check([RectifierByHand(), ReluByHand()], OTHERS[name], [torch.randn(4, 11).double()], times=0)
