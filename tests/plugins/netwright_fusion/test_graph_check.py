"""The check of a graph, with the weights of each draw under whatever name the graph knows them."""

from pathlib import Path

import pytest

from netwright.cases import CaseOptions, load_case
from netwright.harness.draws import draw_call, draw_module
from netwright.harness.protocol import Draw
from netwright_fusion.capture import capture
from netwright_fusion.graph_check import GraphCheck
from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.attention_by_hand import CausalAttentionByHand

TIED = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 8)
        self.head = nn.Linear(8, 11, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x):
        return self.head(self.embedding(x))


def get_inputs():
    return [torch.randint(0, 11, (4, 5))]


def get_init_inputs():
    return []
"""


MASKED = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(16, 48)
        self.register_buffer("shown", torch.tril(torch.ones(12, 12)))

    def forward(self, x):
        query, key, value = self.layer(x).chunk(3, dim=-1)
        scores = query @ key.transpose(1, 2) / 4
        return scores.masked_fill(self.shown != 1, float("-inf")).softmax(dim=-1) @ value


def get_inputs():
    return [torch.randn(2, 12, 16)]


def get_init_inputs():
    return []
"""


REMEMBERING = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.start = torch.randn(8)
        self.layer = nn.Linear(8, 8)

    def forward(self, x):
        return self.layer(x + self.start)


def get_inputs():
    return [torch.randn(4, 8)]


def get_init_inputs():
    return []
"""


@pytest.mark.parametrize("source", [TIED, REMEMBERING])
def test_a_graph_is_given_every_tensor_of_a_draw(project: Path, source: str) -> None:
    (project / "problem.py").write_text(source)
    case = load_case("kernelbench:problem.py", CaseOptions())
    captured = capture(draw_module(case, Draw()), draw_call(case, Draw())).copy()
    assert GraphCheck(case, seed=0, seconds=float("inf")).complaint(captured) is None


@pytest.mark.parametrize(("compared", "right"), [("!= 1", True), ("== 0", True), ("!= 1", False)])
def test_weights_to_which_a_rewrite_does_not_apply_are_not_held_against_it(
    project: Path, compared: str, right: bool
) -> None:
    (project / "problem.py").write_text(MASKED.replace("!= 1", compared))
    case = load_case("kernelbench:problem.py", CaseOptions())
    captured = capture(draw_module(case, Draw()), draw_call(case, Draw())).copy()
    assert [each.rule.name for each in apply_rules(captured.graph, [CausalAttentionByHand()], training=False)]
    if not right:
        attention = next(node for node in captured.graph.graph.nodes if "attention" in node.name)
        attention.kwargs = {**attention.kwargs, "scale": 0.5}
    complaint = GraphCheck(case, seed=0, seconds=float("inf")).complaint(captured)
    assert (complaint is None) is right
