"""The check of a graph, with the weights of each draw under whatever name the graph knows them."""

from pathlib import Path

import pytest

from netwright.cases import CaseOptions, load_case
from netwright.harness.draws import draw_call, draw_module
from netwright.harness.protocol import Draw
from netwright_fusion.capture import capture
from netwright_fusion.graph_check import GraphCheck

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
