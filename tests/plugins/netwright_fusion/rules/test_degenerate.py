"""Outputs that do not depend on the inputs."""

import pytest
import torch
from torch.nn import functional as F

from netwright_fusion.rules.degenerate import constant_outputs, why_constant


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.softmax(x, 1).sum(1),
        lambda x: torch.clamp(-x.relu(), 0, 1),
        lambda x: F.gelu((y := x.sum(1, keepdim=True)) - y.mean(1, keepdim=True)),
        lambda x: torch.softmax(x.amax(1, keepdim=True), 1),
        lambda x: F.instance_norm(x).mean(-1),
        lambda x: (x - x.mean(2, keepdim=True)).mean(2),
        lambda x: F.layer_norm(x.mean(-1, keepdim=True), (1,)),
        lambda x: (x - x).exp() + 1,
        lambda x: torch.tanh(x.relu() * 0.0),
    ],
)
def test_constant(sketch, function):
    x = torch.randn(2, 3, 4)
    graph = sketch(function, {}, [x])
    assert list(constant_outputs(graph)) == [0]
    assert why_constant(graph) == constant_outputs(graph)[0]
    torch.testing.assert_close(graph(x), graph(torch.rand(2, 3, 4) * 9), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.softmax(x, 1).sum(2),
        lambda x: torch.clamp(x, 0, 1),
        lambda x: x - x.mean(1, keepdim=True),
        lambda x: F.instance_norm(x).amax(-1),
        lambda x: F.layer_norm(x, (4,)),
        lambda x: x * 0.5,
        lambda x: F.dropout(torch.ones_like(x), 0.5),
    ],
)
def test_not_constant(sketch, function):
    assert constant_outputs(sketch(function, {}, [torch.randn(2, 3, 4)])) == {}


def test_only_some_outputs(sketch):
    weight = torch.randn(3)
    graph = sketch(lambda x, weight: (x * weight, weight.exp()), {"weight": weight}, [torch.randn(2, 3)])
    assert list(constant_outputs(graph)) == [1]
    assert why_constant(graph) is None
