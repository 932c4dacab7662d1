"""Applying rules to a fixed point: order, what is left out, what is reported."""

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.catalogue import RULES


class Block(nn.Module):
    """Rules must meet here: the scale goes into the convolution before the pools become one and it strided."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 5)

    def forward(self, x):
        y = F.avg_pool2d(F.avg_pool2d(self.norm(self.conv(x)) * 0.5, 2), 2)
        return self.head(torch.relu(y).mean((2, 3))).sum(1, keepdim=True).logsumexp(1, keepdim=True)


def captured(training: bool):
    torch.manual_seed(0)
    return capture(Block().double().train(training), Inputs(args=(torch.randn(2, 3, 14, 14).double(),), kwargs={}))


def test_rules_meet():
    block = captured(training=False).copy()
    x, larger = (torch.randn(count, 3, 14, 14).double() for count in (2, 5))
    before = [block.graph(each) for each in (x, larger)]
    applied = apply_rules(block.graph, RULES, training=False)
    assert {each.rule.name for each in applied} >= {
        "BatchNorm into weights",
        "scale or shift into weights",
        "pool of pool",
        "convolution to average pool",
        "linear to sum over outputs",
        "reduction of one element",
    }
    assert sum(each.flops_removed for each in applied) > 0
    for each, expected in zip((x, larger), before, strict=True):
        torch.testing.assert_close(block.graph(each), expected, rtol=1e-9, atol=1e-9)


def test_training_keeps_statistics():
    block = captured(training=True).copy()
    reference = captured(training=True).copy()
    apply_rules(block.graph, RULES, training=True)
    x = torch.randn(3, 3, 14, 14).double()
    torch.testing.assert_close(block.graph(x), reference.graph(x), rtol=1e-9, atol=1e-9)
    for (name, ours), (_, theirs) in zip(block.graph.named_buffers(), reference.graph.named_buffers(), strict=True):
        torch.testing.assert_close(ours, theirs, msg=name)


def test_same_every_time_and_skipped_sites_stay():
    first, second = captured(training=False).copy(), captured(training=False).copy()
    applied = apply_rules(first.graph, RULES, training=False)
    assert [each.key for each in applied] == [each.key for each in apply_rules(second.graph, RULES, training=False)]
    assert str(first.graph.graph) == str(second.graph.graph)
    third = captured(training=False).copy()
    skip = {applied[0].key, "linear to sum over outputs"}
    left = {each.key for each in apply_rules(third.graph, RULES, training=False, skip=skip)}
    assert applied[0].key not in left
    assert not any(key.startswith("linear to sum over outputs") for key in left)


def test_buffers_that_are_written_and_read_stop_all_rules(sketch):
    def function(x, state, weight):
        state.add_(1)
        return F.linear(x + state, weight).sum(1)

    graph = sketch(function, {"state": torch.zeros(3), "weight": torch.randn(4, 3)}, [torch.randn(2, 3)])
    assert apply_rules(graph, RULES, training=False) == []


def test_catalogue():
    assert len({rule.name for rule in RULES}) == len(RULES)
    kinds = [rule.measured for rule in RULES]
    assert kinds == sorted(kinds)
    for rule in RULES:
        assert rule.reason.endswith(".")
        assert (type(rule).__doc__ or "").strip()


def test_documentation_lists_every_rule():
    page = (Path(__file__).parents[4] / "docs" / "fusion-rules.md").read_text(encoding="utf-8")
    for rule in RULES:
        conditions = rule.conditions + (", measured" if rule.measured else "")
        assert f"| {rule.name} | {rule.reason} | {conditions} |" in page
