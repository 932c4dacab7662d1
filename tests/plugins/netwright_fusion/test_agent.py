"""The agent end to end: what it hands over for cases that can be won, that cannot, and that are wrong in every way."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from netwright.archive import verify_bundle
from netwright.context import RunContext
from netwright.errors import NetwrightError
from netwright.llm.backends.scripted import ScriptedBackend
from netwright.loading import load_attribute
from netwright.result import Result
from netwright.run import run_job
from netwright.runfolder import RunFolder
from netwright.testing import check_agent_config

Run = Callable[..., Result]


@pytest.fixture
def run(project: Path, quick: dict[str, Any]) -> Run:
    """A function that runs the agent on a case in the folder `run`, with eager as its only baseline."""

    def run_agent(case: str, *, context: RunContext | None = None, baseline: Any = "eager", **settings: Any) -> Result:
        context = context or RunContext()
        context.console.quiet = True
        job = {"agent": {"name": "fusion", **quick, **settings}, "case": case, "baseline": baseline}
        try:
            return run_job(job, RunFolder(project / "run"), context=context)
        finally:
            context.console.quiet = False

    return run_agent


def variant(result: Result, label: str) -> dict[str, Any]:
    return next(row for row in result.metrics["variants"] if row["label"] == label)


def write(project: Path, body: str, *, inputs: str = "torch.randn(4, 6)", init: str = "pass") -> str:
    """The name of a problem with that forward."""
    lines = "\n".join(f"        {line}" for line in body.splitlines())
    (project / "problem.py").write_text(
        f"import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n    def __init__(self):\n"
        f"        super().__init__()\n        {init}\n\n    def forward(self, x):\n{lines}\n\n\n"
        f"def get_inputs():\n    return [{inputs}]\n\n\ndef get_init_inputs():\n    return []\n"
    )
    return "kernelbench:problem.py"


def test_the_yaml_is_the_class() -> None:
    check_agent_config("fusion")


@pytest.mark.slow
def test_a_rule_wins_and_the_module_drops_in(run: Run, project: Path, summed: str) -> None:
    result = run(summed, archive=True)
    assert (result.status, result.metrics["outcome"]) == ("ok", "faster")
    best = variant(result, result.metrics["best"])
    assert best["verified"]
    assert best["speedup_vs_best_baseline"] > 1
    assert best["speedup_vs_eager"] == best["speedup_vs_best_baseline"]
    (rule,) = [rule for rule in result.metrics["rules"] if rule["rule"].startswith("linear to sum")]
    assert rule["used"]
    assert rule["flops_removed"] == 2 * 64 * 16 * 511
    module = project / "run" / result.artifacts["module"]
    assert module.read_text() == (project / "run" / best["module"]).read_text()
    own, new = load_attribute("summed.py:Model"), load_attribute(f"{module}:ModelNew")
    original = own(512)  # type: ignore[operator]
    replacement = new(512)  # type: ignore[operator]
    replacement.load_state_dict(original.state_dict())
    x = torch.randn(3, 16)
    torch.testing.assert_close(replacement(x), original(x))
    bundle = (project / "run" / result.artifacts["bundle"]).resolve()
    assert bundle.parent == project / "archive"
    assert verify_bundle(bundle).ok
    for label in ("eager", result.metrics["best"]):
        assert json.loads((project / "run" / "artifacts" / label / "metrics.json").read_text())["correct"]
        assert (project / "run" / "artifacts" / label / "profiler" / "trace.json").exists()


@pytest.mark.slow
def test_control_flow_that_depends_on_data_is_named_and_the_baseline_handed_back(run: Run, project: Path) -> None:
    result = run(write(project, "if x.sum() > 0:\n    return x + 1\nreturn x - 1"))
    assert result.status == "ok"
    assert (result.metrics["outcome"], result.metrics["best"]) == ("nothing to win", "eager")
    assert "problem.py, line 11" in result.metrics["not_captured"]
    assert "super().forward" not in (project / "run" / "optimized.py").read_text()
    assert variant(result, "eager")["module"]


@pytest.mark.acceptance
def test_a_degenerate_case_claims_no_speed_up(run: Run, project: Path) -> None:
    case = write(
        project, "return torch.softmax(self.fc(x).sum(dim=1, keepdim=True), dim=1)", init="self.fc = nn.Linear(6, 8)"
    )
    result = run(case)
    assert result.metrics["outcome"] == "degenerate"
    assert "softmax" in result.metrics["degenerate"]  # and why
    assert result.metrics["speedup"] is None
    assert all(row["speedup_vs_best_baseline"] is None for row in result.metrics["variants"])
    assert "degenerate" in next(block for block in result.blocks if block.title == "Result").text  # type: ignore[union-attr]


@pytest.mark.acceptance
def test_an_input_that_is_written_to_is_named(run: Run, project: Path) -> None:
    result = run(write(project, "return x.add_(1) * 2"))
    assert "problem.py, line 11" in result.metrics["not_captured"]
    assert "writes to the input" in result.metrics["not_captured"]
    assert result.metrics["best"] == "eager"


@pytest.mark.acceptance
def test_a_module_with_a_memory_of_its_own_is_judged_and_handed_back(run: Run, project: Path) -> None:
    case = write(
        project, "self.seen = self.seen + x\nreturn torch.tanh(self.seen)", init="self.seen = torch.zeros(4, 6)"
    )
    result = run(case)
    assert "self.seen" in result.metrics["not_captured"]
    assert (result.metrics["outcome"], result.metrics["best"]) == ("nothing to win", "eager")
    module = load_attribute(f"{project / 'run' / 'optimized.py'}:ModelNew")()
    first, second = (module(torch.ones(4, 6)) for _ in range(2))
    assert torch.equal(second, torch.tanh(torch.full((4, 6), 2.0)))
    assert not torch.equal(first, second)


@pytest.mark.acceptance
def test_outputs_that_are_no_tensors_still_end_in_a_true_result(run: Run, project: Path) -> None:
    result = run(write(project, "return {'y': x * 2, 'name': 'a'}"))
    assert result.metrics["outcome"] in ("nothing to win", "faster")
    assert variant(result, result.metrics["best"])["verified"]


@pytest.mark.acceptance
def test_a_missing_compiler_is_said_and_its_baseline_skipped(
    run: Run, summed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setenv("PATH", "/nowhere")
    result = run(summed, baseline=["eager", "torch_compile"])
    row = variant(result, "torch_compile")
    assert row["latency_ms"] is None
    assert "needs a C++ compiler" in row["not_timed"]


def test_a_case_that_raises_fails_with_its_own_words(run: Run, project: Path) -> None:
    with pytest.raises(NetwrightError, match="by zero"):
        run(write(project, "return x / (1 // 0)"))


@pytest.mark.slow
def test_a_model_writes_a_module_that_is_read_judged_and_repaired(run: Run, project: Path, summed: str) -> None:
    good = (
        "import torch\nfrom torch import nn\n\n\nclass ModelNew(nn.Module):\n    def __init__(self, width):\n"
        "        super().__init__()\n        self.fc = nn.Linear(16, width)\n\n    def forward(self, x):\n"
        "        weight, bias = self.fc.weight.sum(0, keepdim=True), self.fc.bias.sum().reshape(1)\n"
        "        return nn.functional.linear(x, weight, bias)\n"
    )
    forbidden = f"import os\n{good}"
    wrong = good.replace("weight, bias)", "weight, 2 * bias)")
    backend = ScriptedBackend(
        [
            {"go": True, "steps": [], "executions": ["eager"], "reasons": ["the model shall write"]},
            {"code": forbidden, "idea": "reads files"},
            {"code": wrong, "idea": "forgets a factor"},
            {"code": good, "idea": "sums the weights"},
            {"approve": True},
        ]
    )
    result = run(summed, context=RunContext(backend=backend), written_repairs=3)
    first, second, third = (variant(result, f"written_1{suffix}") for suffix in ("", "_repair_1", "_repair_2"))
    assert (first["verified"], second["verified"], third["verified"]) == (False, False, True)
    assert "it imports os" in first["failed"][0]
    assert "accuracy" in second["failed"][0]
    assert third["kind"] == "written"
    assert "it imports os" in backend.requests[2].messages[-1].content
    decisions = (project / "run" / "decisions.jsonl").read_text()
    assert "the model shall write" in decisions


@pytest.mark.acceptance
def test_a_killed_run_goes_on_with_what_it_had(
    run: Run, project: Path, summed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from netwright_fusion.nodes import verify as node

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(node, "compare_variants", killed)
        with pytest.raises(KeyboardInterrupt):
            run(summed)
    tried = copy.copy(list((project / "run" / "artifacts").iterdir()))
    result = run(summed)
    assert result.metrics["outcome"] == "faster"
    assert tried
    assert json.loads((project / "run" / "workflow" / "fusion.json").read_text())["visits"]["implement"] == 1
