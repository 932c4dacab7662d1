"""Attention spelt out in products and a softmax."""

import math

import pytest
import torch
from torch import nn

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.attention_by_hand import AttentionByHand, CausalAttentionByHand
from netwright_fusion.rules.catalogue import RULES
from netwright_fusion.rules.infinity import FINITE_INPUTS

BOTH = (CausalAttentionByHand(), AttentionByHand())


def attend(q, k, v, change=lambda scores: scores):
    return torch.softmax(change(q @ k.transpose(-1, -2)), -1) @ v


WRITTEN = {
    "plain": lambda q, k, v, **_: attend(q, k, v),
    "scaled": lambda q, k, v, **_: attend(q, k, v, lambda scores: scores / math.sqrt(6)),
    "scaled before": lambda q, k, v, **_: attend(q * 0.3, k, v),
    "added": lambda q, k, v, bias: attend(q, k, v, lambda scores: scores * 0.5 + bias),
    "added to": lambda q, k, v, bias: attend(q, k, v, lambda scores: bias[:, :1] + scores),
    "of keys": lambda q, k, v, bias: attend(q, k, v, lambda scores: scores * 2 + bias[0]),
}
CAUSAL = {
    "filled": lambda s, mask: s.masked_fill(mask == 0, -math.inf),
    "filled, scaled": lambda s, mask: (s * 0.4).masked_fill(~mask.bool(), -math.inf),
    "chosen": lambda s, mask: torch.where(mask.bool(), s, -math.inf),
    "added": lambda s, _: s * 0.2 + torch.full((5, 5), -math.inf, dtype=torch.float64).triu(1),
}


@pytest.mark.parametrize("name", sorted(WRITTEN))
@pytest.mark.parametrize("batch", [(3,), (2, 3)])
def test_ways_to_write_it(sketch, name, batch):
    q, k, v = torch.randn(*batch, 4, 6).double(), torch.randn(*batch, 5, 6).double(), torch.randn(*batch, 5, 6).double()
    graph = sketch(WRITTEN[name], {"bias": torch.randn(4, 5).double()}, [q, k, v])
    bias = graph.bias
    (applied,) = apply_rules(graph, BOTH, training=True)
    assert applied.rule.name == "attention by hand"
    assert applied.flops_removed == 0
    assert applied.bytes_removed > 0
    assert graph.meta[FINITE_INPUTS]
    torch.testing.assert_close(graph(q, k, v), WRITTEN[name](q, k, v, bias=bias), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", sorted(CAUSAL))
@pytest.mark.parametrize("batch", [(3,), (2, 3)])
def test_causal_masks(sketch, name, batch):
    q, k, v = (torch.randn(*batch, 5, 6).double() for _ in range(3))
    mask = torch.ones(*[1] * len(batch), 5, 5).tril()

    def function(q, k, v, mask):
        return attend(q, k, v, lambda scores: CAUSAL[name](scores, mask))

    graph = sketch(function, {"mask": mask}, [q, k, v])
    (applied,) = apply_rules(graph, BOTH, training=False)
    assert applied.rule.name == "causal attention by hand"
    torch.testing.assert_close(graph(q, k, v), function(q, k, v, mask), rtol=1e-10, atol=1e-10)


def test_leaves_others_alone(sketch):
    q, k, v = (torch.randn(2, 3, 5, 6).double() for _ in range(3))
    mask = torch.ones(5, 5).tril(1)
    for function in (
        lambda q, k, v, mask: attend(q, k, v, lambda s: s.masked_fill(mask == 0, -math.inf)),
        lambda q, k, v, mask: attend(q, k, v, lambda s: s.masked_fill(mask.tril() == 0, -1e9)),
        lambda q, k, v, **_: torch.softmax(q @ k.transpose(-1, -2), -2) @ v,
        lambda q, k, v, **_: (p := torch.softmax(q @ k.transpose(-1, -2), -1)) @ v + p.sum(),
        lambda q, k, v, **_: attend(q, k, v[..., :4]),
        lambda q, k, v, **_: attend(q, k, v[:, :1]),
        lambda q, k, v, **_: attend(q, k, v, lambda s: s.relu()),
    ):
        assert not apply_rules(sketch(function, {"mask": mask}, [q, k, v]), BOTH, training=False)


@pytest.mark.parametrize("name", ["filled", "filled, scaled", "chosen"])
def test_a_mask_is_looked_at_again(sketch, name):
    q, k, v = (torch.randn(2, 5, 6).double() for _ in range(3))

    def function(q, k, v, mask):
        return attend(q, k, v, lambda scores: CAUSAL[name](scores, mask))

    graph = sketch(function, {"mask": torch.ones(1, 5, 5).tril()}, [q, k, v])
    apply_rules(graph, BOTH, training=False)
    graph.mask[0, 3, 0] = 0
    with pytest.raises(RuntimeError, match="not causal any more"):
        graph(q, k, v)


class SelfAttention(nn.Module):
    """Causal attention as GPT-2's many descendants write it."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs, self.outputs = nn.Linear(8, 24), nn.Linear(8, 8)
        self.dropout = nn.Dropout(0.1)
        self.register_buffer("mask", torch.tril(torch.ones(16, 16)).view(1, 1, 16, 16))

    def forward(self, x):
        batch, tokens, width = x.size()
        q, k, v = self.inputs(x).split(width, dim=2)
        q, k, v = (each.view(batch, tokens, 2, width // 2).transpose(1, 2) for each in (q, k, v))
        scores = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        scores = scores.masked_fill(self.mask[:, :, :tokens, :tokens] == 0, float("-inf"))
        y = self.dropout(torch.softmax(scores, dim=-1)) @ v
        return self.outputs(y.transpose(1, 2).contiguous().view(batch, tokens, width))


def test_a_language_model():
    torch.manual_seed(0)
    inputs = Inputs(args=(torch.randn(3, 7, 8).double(),), kwargs={})
    captured = capture(SelfAttention().double().eval(), inputs).copy()
    expected = captured.call(inputs)
    applied = apply_rules(captured.graph, RULES, training=False)
    assert "causal attention by hand" in [each.rule.name for each in applied]
    torch.testing.assert_close(captured.call(inputs), expected, rtol=1e-10, atol=1e-10)
