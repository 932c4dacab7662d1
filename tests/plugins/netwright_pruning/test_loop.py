"""The agents' loop on real digits: what it learns, what it leaves, and that a kill costs at most the node in flight."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from netwright.agent import Job
from netwright.cases import CaseOptions
from netwright.context import RunContext
from netwright.llm.backends.scripted import ScriptedBackend
from netwright.result import Result
from netwright.run import run_job
from netwright.runfolder import RunFolder, read_json_lines, read_result
from netwright.workflow import Budgets, WorkflowSettings
from netwright_pruning import BudgetConfig, PrunerConfig, load_pruned
from netwright_pruning.multi_agent import MultiAgentPruning
from netwright_pruning.subject import Subject, prepare_subject
from netwright_pruning.trial import Trial

OPTIONS = {
    "criteria": ["taylor", "magnitude_l2"],
    "allocations": ["global", "sensitivity"],
    "held": 64,
    "max_iterations": 3,
}
SETTINGS: dict[str, Any] = {
    "agent": {
        "name": "pruner",
        "budget": {"macs": 0.3},
        "train": {"epochs": 6},
        "fine_tune": {"epochs": 2},
        "data": {"name": "digits", "limit": 400},
        "calibration": {"batches": 2, "batch_size": 32},
        "timing": {"min_rounds": 2, "max_rounds": 2, "max_seconds": 0.1, "warm_up_seconds": 0.1},
    },
    "case": "digits_cnn",
    "case_options": {"constants": {"width": 16}},
    "baseline": ["multi_agent"],
    "baseline_options": {"multi_agent": OPTIONS},
    "seed": 3,
}
CONFIG = PrunerConfig(**{key: value for key, value in SETTINGS["agent"].items() if key != "name"})
JOB = Job("digits_cnn", CaseOptions(constants={"width": 16}), seed=3)
LAYERS = ["stem.0", "blocks.0.conv1", "blocks.1.conv1", "blocks.1.conv2", "blocks.2.conv1", "blocks.2.conv2"]
PLAIN = """
import torch
from torch import nn


class Plain(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(512, 5),
        )


def get_inputs():
    return [torch.rand(8, 3, 4, 4)]
"""
CHILD = """
import json, os, signal, sys
from pathlib import Path
from netwright_pruning import loop

spot, folder, settings = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
node, _, visit = spot.partition(":")
seen = 0
if node:
    plain = getattr(loop.PruningLoop, node)

    def deadly(self, state):
        global seen
        seen += 1
        answer = plain(self, state)
        if seen == int(visit):
            os.kill(os.getpid(), signal.SIGKILL)  # its work is done, and nothing is committed
        return answer

    setattr(loop.PruningLoop, node, deadly)

from netwright.resume import resume_run
from netwright.run import run_job
from netwright.runfolder import RunFolder

if (folder / "events.jsonl").exists():
    resume_run(folder)
else:
    run_job(settings, RunFolder(folder))
"""


def quiet() -> RunContext:
    context = RunContext()
    context.console.quiet = True
    return context


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, RunFolder]:
    folder = RunFolder(tmp_path_factory.mktemp("loop") / "run")
    return run_job(SETTINGS, folder, context=quiet()), folder


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_pruned(folder / "artifacts" / "multi_agent" / "model").state_dict()


def nodes(folder: Path) -> list[str]:
    events = read_json_lines(folder / "events.jsonl")
    done = [e["step"] for e in events if e["event"] == "step_ended" and e["outcome"] == "ok"]
    return [step for step in done if step in {"profile", "master", "analysis", "prune", "fine_tune", "evaluate"}]


@pytest.mark.slow
def test_it_compares_strategies_and_trains_the_best(finished: tuple[Result, RunFolder]) -> None:
    result, folder = finished
    assert result.status == "ok"
    (report,) = result.metrics["methods"]
    attempts = report["loop"]
    assert [attempt["step"] for attempt in attempts] == ["explore", "explore", "explore", "commit"]
    assert [(attempt["criterion"], attempt["allocation"]) for attempt in attempts[:2]] == [
        ("taylor", "global"),
        ("magnitude_l2", "global"),
    ]
    explored = attempts[:3]
    best = max(explored, key=lambda attempt: (round(attempt["proxy"]["score"], 2), -attempt["proxy"]["loss"]))
    assert (attempts[3]["criterion"], attempts[3]["allocation"]) == (best["criterion"], best["allocation"])
    assert [attempt["epochs"] for attempt in attempts] == [0, 0, 0, 2]
    assert len(report["history"]) == 2
    assert report["iterations"] == 4
    assert report["budget"]["within"]
    assert 0.297 < 1 - attempts[3]["achieved_ratio"] < 0.303
    stages = report["stages"]
    assert stages["recalibrated"] > stages["pruned"] + 0.2
    assert stages["fine_tuned"] == report["after"]["accuracy"]
    assert (folder.path / "workflow" / "pruning.json").exists()
    page = (folder.path / "report.html").read_text()
    assert "fine_tune" in page
    assert "Attempts of multi_agent" in page
    asked = {line["question"] for line in read_json_lines(folder.decisions_file)}
    assert {"What to do next in the search for a pruned model", "Which way of pruning to try next"} <= asked
    kept = sorted(path.name for path in (folder.path / "artifacts" / "multi_agent" / "attempts").iterdir())
    assert kept == [f"{best['number']:02}", "04"]  # models of beaten strategies are not kept


@pytest.mark.slow
def test_killed_twice_it_goes_on_to_the_same_bits(finished: tuple[Result, RunFolder], tmp_path: Path) -> None:
    _held_against(finished, ["evaluate:2", "fine_tune:2"], tmp_path / "run")


@pytest.mark.acceptance
def test_killed_after_any_node_it_goes_on_to_the_same_bits(finished: tuple[Result, RunFolder], tmp_path: Path) -> None:
    visits = {"profile": 1, "master": 5, "analysis": 4, "prune": 4, "fine_tune": 4, "evaluate": 4}
    for node, count in visits.items():
        for visit in range(1, count + 1):
            _held_against(finished, [f"{node}:{visit}"], tmp_path / f"{node}{visit}")


def _held_against(finished: tuple[Result, RunFolder], spots: list[str], folder: Path) -> None:
    for spot in [*spots, ""]:
        child = [sys.executable, "-c", CHILD, spot, str(folder), json.dumps(SETTINGS)]
        ended = subprocess.run(child, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "80"})
        assert ended.returncode == (-signal.SIGKILL if spot else 0), ended.stderr[-2000:]
    result, whole = finished
    expected, found = weights_of(whole.path), weights_of(folder)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert read_result(folder).metrics["methods"][0]["stages"] == result.metrics["methods"][0]["stages"]
    assert sorted(nodes(folder)) == sorted(nodes(whole.path))  # nothing that was finished ran again
    events = read_json_lines(folder / "events.jsonl")
    trained = [e["facts"]["epochs_done"] for e in events if e["event"] == "step_started" and e["step"] == "train"]
    assert trained == [0] + [6] * len(spots)


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return prepare_subject(JOB, CONFIG, tmp_path_factory.mktemp("subject"))


def conduct(subject: Subject, folder: Path, **options: object) -> Trial:
    return MultiAgentPruning(**{**OPTIONS, **options}).conduct("multi_agent", subject, JOB, CONFIG, folder)


@pytest.mark.slow
def test_a_budget_of_steps_stops_it_with_the_best_so_far(subject: Subject, run_context: RunContext) -> None:
    run_context.workflow = WorkflowSettings(budgets=Budgets(steps=8))
    assert run_context.folder is not None
    trial = conduct(subject, run_context.folder.path / "trial")
    assert "workflow.budgets.steps" in trial.errors[0].message
    assert [attempt.step for attempt in trial.report.loop] == ["explore"]
    assert trial.report.stages.fine_tuned is None


@pytest.mark.slow
def test_what_a_model_proposes_passes_the_same_limits(
    subject: Subject, run_context: RunContext, scripted_model: Callable[..., ScriptedBackend]
) -> None:
    explore, stop = {"choice": "explore"}, {"choice": "stop"}
    good = {"importance_criterion": "taylor", "allocation": "sensitivity", "pruning_ratio": 0.7, "confidence": 0.9}
    lines = [
        {"summary": "small", "sensitive_layers": ["stem.0"]},
        explore,
        *[{**good, "pruning_ratio": 0.999}, "no JSON at all", good],
        *[{"ratios": {"blocks.9": 0.5}}, {"ratios": {"stem.0": 0.99}}, {"ratios": dict.fromkeys(LAYERS, 0.4)}],
        stop,
        good,
    ]
    backend = scripted_model(*lines)
    trial = conduct(subject, run_context.folder.path / "trial")  # type: ignore[union-attr]
    asked = [str(request) for request in backend.requests]
    for complaint in ("past the safety limit", "no layer named", "past its safety limit"):
        assert any(complaint in text for text in asked)
    assert [(attempt.criterion, attempt.allocation) for attempt in trial.report.loop] == [("taylor", "sensitivity")]
    decided = read_json_lines(run_context.folder.decisions_file)  # type: ignore[union-attr]
    assert {line["taken_by"] for line in decided if "fallback" not in line and "model" in line} == {"model"}


@pytest.mark.slow
def test_rounds_share_the_epochs_and_start_from_each_other(subject: Subject, run_context: RunContext) -> None:
    assert run_context.folder is not None
    trial = conduct(subject, run_context.folder.path / "trial", rounds=2, max_iterations=1)
    assert [(a.step, a.final, a.epochs) for a in trial.report.loop] == [
        ("explore", True, 0),
        ("commit", False, 1),
        ("commit", True, 1),
    ]
    ratios = [attempt.achieved_ratio for attempt in trial.report.loop]
    assert ratios == pytest.approx([0.7, 1 - 0.3**0.5, 0.7], abs=0.01)
    pruned = load_pruned(trial.model_folder)
    for name, (before, after) in trial.report.widths.items():
        assert len(subject.model.get_submodule(name).weight) == before  # type: ignore[arg-type]
        assert len(pruned.get_submodule(name).weight) == after  # type: ignore[arg-type]
    assert len(trial.report.history) in (1, 2)


@pytest.mark.slow
def test_without_data_the_outputs_decide(run_context: RunContext, tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text(PLAIN)
    job = Job(case=f"script:{tmp_path}/plain.py:Plain", seed=3)
    config = PrunerConfig(budget=BudgetConfig(macs=0.5), round_to=1)
    assert run_context.folder is not None
    subject = prepare_subject(job, config, tmp_path / "training")
    trial = MultiAgentPruning(**OPTIONS).conduct("multi_agent", subject, job, config, run_context.folder.path / "trial")
    assert [attempt.step for attempt in trial.report.loop] == ["explore"] * 3
    assert all(attempt.proxy is not None and attempt.proxy.score is None for attempt in trial.report.loop)
    assert trial.report.budget.within
    assert trial.report.after.accuracy is None
