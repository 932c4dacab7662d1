"""Tests of the agent `benchmark`."""

import json
from collections.abc import Callable

import pytest

from netwright.agent import Job
from netwright.context import RunContext
from netwright.errors import UserError
from netwright.registry import Registry
from netwright.result import AgentResult
from netwright_execution import BenchmarkAgent

SETTINGS = {
    "metrics": ["latency_ms", "throughput", "peak_memory_bytes", "parameters", "macs"],
    "timing": {"min_rounds": 2, "max_rounds": 2, "max_seconds": 0.1, "warm_up_seconds": 0.0, "threads": 1},
    "verification": {"input_seeds": 1, "weight_seeds": 1, "distributions": [], "special": [], "strided": False},
    "profile": True,
}

PLUGIN = """
from netwright import hookimpl
from netwright.specs import BaselineSpec, MetricSpec

@hookimpl
def netwright_baselines():
    return [BaselineSpec(name="doubled", summary="", target="inline:doubled", group="execution"),
            BaselineSpec(name="lacking", summary="", target="inline:doubled", group="execution", requires=("no_such",))]

@hookimpl
def netwright_metrics():
    return [MetricSpec(name="calls_timed", summary="", target="inline:calls", unit="calls", direction="higher",
                       of="timing"),
            MetricSpec(name="layers", summary="", target="inline:layers", unit="", direction="lower", of="model"),
            MetricSpec(name="foreseen", summary="", target="inline:calls", unit="", direction="lower",
                       of="predictions")]

def doubled(module):
    return lambda x: 2 * module(x)

def calls(timing):
    return timing.calls

def layers(module, inputs):
    return len(list(module.children()))
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> AgentResult:
    """One benchmark that all tests look at: two correct baselines, a wrong one, one whose package is missing."""
    from netwright.context import use_run
    from netwright.runfolder import RunFolder
    from netwright.testing import FAKE_MODEL

    folder = tmp_path_factory.mktemp("benchmark")
    (folder / "fake_model.py").write_text(FAKE_MODEL)
    with pytest.MonkeyPatch.context() as patch, use_run(RunContext(folder=RunFolder(folder / "run"))):
        patch.chdir(folder)
        patch.setenv("NETWRIGHT_CACHE", str(folder / "cache"))
        (folder / "inline.py").write_text(PLUGIN)
        patch.syspath_prepend(folder)
        import inline  # type: ignore[import-not-found]

        from netwright.registry import use_plugin

        settings = {**SETTINGS, "metrics": [*SETTINGS["metrics"], "calls_timed", "layers"]}  # type: ignore[misc]
        with use_plugin(inline, "inline"):
            job = Job(case="script:fake_model.py:Fake", baselines=("eager", "doubled", "lacking"))
            return BenchmarkAgent(settings).execute(job)


def values(result: AgentResult, label: str) -> dict[str, float | None]:
    return {row.metric: row.value for row in result.measurements if row.label == label}


@pytest.mark.slow
def test_every_baseline_has_a_row_per_metric(result: AgentResult) -> None:
    eager = values(result, "eager")
    assert list(eager) == [*SETTINGS["metrics"], "calls_timed", "layers"]  # type: ignore[misc]
    assert eager["parameters"] == 4 * 8 + 8 + 8 * 3 + 3
    assert eager["macs"] == 5 * (4 * 8 + 8 * 3)
    assert eager["layers"] == 2
    assert eager["latency_ms"] is not None
    assert eager["throughput"] == pytest.approx(5e3 / eager["latency_ms"])
    assert set(values(result, "doubled")) == set(values(result, "lacking")) == set(eager)


@pytest.mark.slow
def test_metrics_that_depend_on_latency_have_its_interval(result: AgentResult) -> None:
    rows = {row.metric: row for row in result.measurements if row.label == "eager"}
    for name in ("latency_ms", "throughput"):
        ci, value = rows[name].ci, rows[name].value
        assert ci is not None
        assert value is not None
        assert ci[0] <= value <= ci[1]
    assert rows["macs"].ci is rows["calls_timed"].ci is rows["peak_memory_bytes"].ci is None


@pytest.mark.slow
def test_a_wrong_baseline_is_not_timed_and_a_missing_one_is_named(result: AgentResult) -> None:
    assert values(result, "doubled")["latency_ms"] is None
    assert values(result, "doubled")["parameters"] is not None
    assert {error.where for error in result.errors} == {"doubled", "lacking"}
    messages = {error.where: error.message for error in result.errors}
    assert messages["doubled"].startswith("check 'accuracy'")
    assert "no_such" in messages["lacking"]
    reasons = {row.not_measured for row in result.measurements if row.label == "lacking"}
    assert reasons == {messages["lacking"]}


@pytest.mark.slow
def test_artifacts_are_left_per_baseline(result: AgentResult) -> None:
    folder = result.artifacts["eager"]
    assert json.loads((folder / "metrics.json").read_text())["correct"] is True
    assert (folder / "profiler" / "trace.json").exists()
    assert json.loads((result.artifacts["doubled"] / "metrics.json").read_text())["correct"] is False


@pytest.mark.slow
def test_the_result_says_under_what_settings(result: AgentResult) -> None:
    assert result.provenance["cache"] == "cold"
    assert result.provenance["threads"] == 1
    assert result.metrics.model_dump()["fastest"] == "eager"


def test_a_metric_that_needs_predictions_is_refused(register_plugin: Callable[..., Registry]) -> None:
    register_plugin(PLUGIN)
    with pytest.raises(UserError, match="needs predictions"):
        BenchmarkAgent({"metrics": ["foreseen"]}).execute(Job(case="mine"))


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(UserError, match="did you mean 'latency_ms'"):
        BenchmarkAgent({"metrics": ["latency"]}).execute(Job(case="mine"))
