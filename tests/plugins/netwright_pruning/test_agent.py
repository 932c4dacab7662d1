"""The agent from end to end, on a network that trains in a moment."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from netwright.agent import Job
from netwright.context import RunContext
from netwright.errors import NetwrightError, UserError
from netwright.registry import Registry
from netwright.result import AgentResult
from netwright.runfolder import read_json_lines
from netwright_pruning import PrunerAgent, load_pruned
from netwright_pruning.metrics import PrunerMetrics

QUICK = {
    "timing": {"min_rounds": 2, "max_rounds": 2, "max_seconds": 0.1, "warm_up_seconds": 0.1},
    "calibration": {"batches": 4, "batch_size": 32},
}
QUICK_DIGITS = {**QUICK, "train": {"epochs": 2}, "data": {"name": "digits", "limit": 150}, "budget": {"macs": 0.5}}

BROKEN = """
from netwright import hookimpl
from netwright.specs import BaselineSpec
from netwright_pruning import BasePruningMethod


class Broken(BasePruningMethod):
    def importance(self, *, seed):
        raise RuntimeError("no idea")


@hookimpl
def netwright_baselines():
    return [BaselineSpec(name="broken", summary="", target="stranger:Broken", group="pruning")]
"""


def metrics_of(result: AgentResult) -> PrunerMetrics:
    assert isinstance(result.metrics, PrunerMetrics)
    return result.metrics


@pytest.mark.slow
def test_a_comparison_on_real_data(run_context: RunContext, register_plugin: Callable[..., Registry]) -> None:
    register_plugin(BROKEN, "stranger")
    job = Job(case="digits_cnn", baselines=("random", "broken", "taylor"), seed=1)
    result = PrunerAgent(QUICK_DIGITS).execute(job)
    metrics = metrics_of(result)

    assert [method.label for method in metrics.methods] == ["random", "taylor"]
    assert [(error.where, error.message) for error in result.errors] == [("broken", "RuntimeError: no idea")]
    assert metrics.best in {"random", "taylor"}
    assert len(metrics.training) == 2

    best = next(method for method in metrics.methods if method.label == metrics.best)
    assert metrics.after == best.after
    assert metrics.attempts == metrics.budget.attempts == best.budget.attempts
    assert metrics.after.macs == metrics.budget.achieved == pytest.approx(0.5 * metrics.before.macs, rel=0.01)
    for method in metrics.methods:
        assert None not in (method.stages.pruned, method.stages.recalibrated, method.stages.fine_tuned)
        assert method.after.accuracy == method.stages.fine_tuned
        assert method.after.latency_ms is not None
        assert method.speedup is not None

    assert run_context.folder is not None
    folder = run_context.folder.path
    assert result.artifacts["model"] == folder / "artifacts" / metrics.best / "model"
    model = load_pruned(result.artifacts["model_random"])
    assert sum(p.numel() for p in model.parameters()) == metrics.methods[0].after.parameters
    assert {path.name for path in (folder / "tensorboard").iterdir()} == {
        "train",
        "fine-tune-random",
        "fine-tune-taylor",
    }
    decisions = list(read_json_lines(run_context.folder.decisions_file))
    assert {record["taken_by"] for record in decisions} == {"rule"}
    assert decisions[-1]["answer"] == metrics.best
    json.dumps(result.model_dump(mode="json"))


@pytest.mark.slow
@pytest.mark.usefixtures("run_context")
def test_a_case_without_data_is_pruned_saved_and_timed(fake_case: str) -> None:
    job = Job(case=fake_case, baselines=("taylor",))
    result = PrunerAgent({**QUICK, "budget": {"parameters": 0.7}, "round_to": 1, "tolerance": 0.2}).execute(job)
    metrics = metrics_of(result)
    assert metrics.score is None
    assert metrics.before.not_measured == {"accuracy": "the case has no data"}
    assert metrics.after.latency_ms is not None
    assert load_pruned(result.artifacts["model"])(torch.rand(5, 4)).shape == (5, 3)


@pytest.mark.usefixtures("run_context")
def test_when_every_baseline_fails_the_run_does(register_plugin: Callable[..., Registry], fake_case: str) -> None:
    register_plugin(BROKEN, "stranger")
    with pytest.raises(NetwrightError, match="baseline 'broken' failed; 'broken': RuntimeError: no idea") as caught:
        PrunerAgent({**QUICK, "round_to": 1}).execute(Job(case=fake_case, baselines=("broken",)))
    assert caught.value.exit_code == 1


def test_an_impossible_budget_is_refused_before_anything_is_trained(run_context: RunContext) -> None:
    config = {**QUICK_DIGITS, "budget": {"macs": 0.001}}
    with pytest.raises(UserError, match="cannot be met"):
        PrunerAgent(config).execute(Job(case="digits_cnn", baselines=("random",)))
    assert run_context.folder is not None
    assert not (run_context.folder.path / "artifacts").exists()


def test_a_recipe_without_data_is_refused(fake_case: str) -> None:
    with pytest.raises(UserError, match=r"nothing to train on.*agent\.data"):
        PrunerAgent({"train": {"epochs": 3}, "round_to": 1}).execute(Job(case=fake_case, baselines=("random",)))


@pytest.fixture
def no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise NetwrightError("no worker starts")

    monkeypatch.setattr("netwright_pruning.latency.measure", fail)


@pytest.mark.usefixtures("no_workers", "run_context")
def test_latency_that_cannot_be_measured_costs_nothing_else(fake_case: str) -> None:
    config = {"budget": {"parameters": 0.7}, "round_to": 1, "tolerance": 0.2}
    result = PrunerAgent(config).execute(Job(case=fake_case, baselines=("random",)))
    assert metrics_of(result).after.not_measured["latency_ms"] == "no worker starts"
    assert [error.where for error in result.errors] == ["latency"]
    assert load_pruned(result.artifacts["model"])


@pytest.mark.usefixtures("no_workers")
def test_outside_a_run_nothing_is_left_behind(project: Path, fake_case: str) -> None:
    config = {"budget": {"parameters": 0.7}, "round_to": 1, "tolerance": 0.2}
    result = PrunerAgent(config).execute(Job(case=fake_case, baselines=("random",)))
    assert result.artifacts == {}
    assert [path.name for path in project.iterdir()] == ["fake_model.py"]


def test_a_case_must_be_named() -> None:
    with pytest.raises(UserError, match="nothing to prune; name a case"):
        PrunerAgent().execute(Job(baselines=("random",)))
