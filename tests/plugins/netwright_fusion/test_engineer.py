"""The engineer: wrong steps are found by bisection and left out, right ones stay, and files say what was done."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import fx

from netwright.agent import Job
from netwright_fusion.capture import Captured
from netwright_fusion.config import FusionConfig
from netwright_fusion.cost import Machine
from netwright_fusion.engineer import Engineer
from netwright_fusion.graph import call, is_call
from netwright_fusion.rules.linear_sum import LinearSum
from netwright_fusion.rules.rule import NodeRule, Rewrite, Rule, Site
from netwright_fusion.rules.winograd import Winograd
from netwright_fusion.workbench import Workbench

aten = torch.ops.aten
MACHINE = Machine(flops_per_s=1e11, bytes_per_s=1e10)
MODEL = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(16, 64)

    def forward(self, x):
        x = torch.relu(x)
        return torch.sigmoid(self.fc(x).sum(dim=1, keepdim=True))


def get_inputs():
    return [torch.randn(8, 16)]
"""


class ForgetsRelu(NodeRule):
    """Wrong: a relu is no identity."""

    name = "relu to identity"
    reason = "It is not."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        if not is_call(node, aten.relu.default):
            return None
        return Rewrite("relu -> input", (node,), lambda graph: call(graph, aten.mul.Tensor, node.args[0], 1.0))


class Raises(Rule):
    """Wrong: it raises when it is applied."""

    name = "sigmoid to nothing"
    reason = "It cannot be."

    def sites(self, graph: fx.GraphModule) -> Iterator[Site]:
        for node in graph.graph.nodes:
            if is_call(node, aten.sigmoid.default):
                yield Site("sigmoid", (node,))

    def apply(self, graph: fx.GraphModule, site: Site) -> None:
        raise ZeroDivisionError(f"on purpose: {site.name}" if graph else "")


class Renames(NodeRule):
    """Right: 1 times a sigmoid."""

    name = "sigmoid to sigmoid"
    reason = "It is one."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        if not is_call(node, aten.sigmoid.default) or any(is_call(user, aten.mul.Tensor) for user in node.users):
            return None

        def build(graph: fx.Graph) -> fx.Node:
            return call(graph, aten.mul.Tensor, call(graph, aten.sigmoid.default, node.args[0]), 1.0)

        return Rewrite("sigmoid -> sigmoid", (node,), build)


@pytest.fixture
def engineer(project: Path) -> Engineer:
    (project / "model.py").write_text(MODEL)
    return Workbench(Job(case="script:model.py:Model"), FusionConfig(), project / "run").engineer


def use(monkeypatch: pytest.MonkeyPatch, *rules: Rule) -> None:
    monkeypatch.setattr("netwright_fusion.engineer.RULES", rules)


def test_a_wrong_step_is_left_out_and_the_others_stay(engineer: Engineer, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, LinearSum(), ForgetsRelu(), Renames())
    steps = engineer.propose(MACHINE, rules=True, kernels=False, skip=())
    assert [step.spec for step in steps] == [LinearSum.name, ForgetsRelu.name, Renames.name]
    rewritten = engineer.rewrite(steps, (), measured=False)
    assert [each.rule.name for each in rewritten.applied] == [LinearSum.name, Renames.name]
    (dropped,) = rewritten.dropped.items()
    assert dropped[0].startswith(ForgetsRelu.name)
    assert "its largest error is" in dropped[1]


def test_a_rule_that_raises_is_left_out(engineer: Engineer, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, LinearSum())
    steps = engineer.propose(MACHINE, rules=True, kernels=False, skip=())
    use(monkeypatch, LinearSum(), Raises())
    chosen = [*steps, steps[0].model_copy(update={"spec": Raises.name})]
    rewritten = engineer.rewrite(chosen, (), measured=False)
    assert [each.rule.name for each in rewritten.applied] == [LinearSum.name]
    assert rewritten.dropped == {Raises.name: "ZeroDivisionError: on purpose: sigmoid"}


def test_only_the_steps_of_a_plan_are_carried_out(engineer: Engineer, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, LinearSum(), Renames())
    steps = engineer.propose(MACHINE, rules=True, kernels=False, skip=())
    assert [each.rule.name for each in engineer.rewrite(steps[:1], (), measured=False).applied] == [LinearSum.name]
    assert [each.rule.name for each in engineer.only([steps[1].key]).applied] == [Renames.name]
    assert engineer.rewrite(steps, {LinearSum.name}, measured=False).applied[0].rule.name == Renames.name


def test_a_step_says_what_it_removes_and_gains(engineer: Engineer, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, LinearSum())
    (step,) = engineer.propose(MACHINE, rules=True, kernels=False, skip=())
    assert step.flops_removed == 2 * 8 * 16 * 63
    assert step.target_ops == ["linear"]
    assert step.gain_ms == pytest.approx(1e3 * max(step.flops_removed / 1e11, step.bytes_removed / 1e10), abs=1e-6)


def test_what_is_computed_once_gets_no_kernel(engineer: Engineer, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, LinearSum())
    steps = engineer.propose(MACHINE, rules=True, kernels=True, skip=())
    (kernel,) = [step for step in steps if step.kind == "kernel"]
    assert kernel.target_ops == ["linear", "sigmoid"]  # the weight's sum is left alone


def test_equal_graphs_give_equal_files(engineer: Engineer, monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    use(monkeypatch, LinearSum())
    steps = engineer.propose(MACHINE, rules=True, kernels=False, skip=())
    texts = []
    for label in ("first", "second"):
        rewritten = engineer.rewrite(steps, (), measured=False)
        texts.append((project / "run" / engineer.write(label, "rewritten", rewritten, "compiled").path).read_text())
    assert texts[0] == texts[1]
    assert LinearSum.reason in " ".join(texts[0].replace("#", "").split())


def test_nothing_is_proposed_where_there_is_no_graph(project: Path) -> None:
    source = MODEL.replace("x = torch.relu(x)", "x = x if x.sum() > 0 else -x")
    (project / "model.py").write_text(source)
    bench = Workbench(Job(case="script:model.py:Model"), FusionConfig(), project / "run")
    assert bench.engineer.propose(MACHINE, rules=True, kernels=True, skip=()) == []
    assert "model.py, line" in str(bench.captured)


@pytest.mark.parametrize("alone", [True, False])
def test_what_spreads_nan_needs_an_original_to_run_on_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    use(monkeypatch, Winograd())
    source = MODEL.replace("nn.Linear(16, 64)", "nn.Conv2d(64, 64, 3)").replace("(8, 16)", "(4, 64, 20, 20)")
    (project / "model.py").write_text(source)
    bench = Workbench(Job(case="script:model.py:Model"), FusionConfig(), project / "run")
    assert isinstance(bench.captured, Captured)
    origin = bench.engineer._origin if alone else replace(bench.engineer._origin, text=None)
    engineer = Engineer(bench.case, origin, bench.captured, project / "run", seed=0)
    steps = engineer.propose(MACHINE, rules=True, kernels=False, skip=())
    rewritten = engineer.rewrite(steps, (), measured=True)
    assert [each.rule.name for each in rewritten.applied] == ([Winograd.name] if alone else [])
    assert rewritten.dropped == {}
