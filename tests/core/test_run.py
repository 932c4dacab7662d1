"""A job leaves a complete run folder, whether it ends well, fails, or never could have started."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netwright.context import RunContext
from netwright.errors import NetwrightError, UserError
from netwright.registry import Registry
from netwright.run import JobConfig, run_job
from netwright.runfolder import RunFolder, read_json_lines, read_result

PLUGIN = """
import random
from pydantic import BaseModel
from netwright import hookimpl
from netwright.agent import BaseAgent
from netwright.config import Config
from netwright.context import current_run
from netwright.errors import NetwrightError
from netwright.result import AgentResult, ErrorRecord, Measurement
from netwright.specs import AgentSpec, BaselineSpec

class DialConfig(Config):
    level: int = 3
    fail: str = ""

class DialMetrics(BaseModel):
    level: int
    drawn: float

class DialAgent(BaseAgent):
    config_class = DialConfig

    def get_agent_role(self):
        return "You turn a dial."

    def execute(self, job):
        with current_run().step("turn", total=1) as step:
            if self.config.fail == "work":
                raise NetwrightError("the dial is stuck", remedy="oil it")
            if self.config.fail == "bug":
                raise ZeroDivisionError("by zero")
            step.advance(level=self.config.level)
        note = current_run().folder.artifact("dial") / "note.txt"
        note.write_text("turned")
        errors = [ErrorRecord(where="dial", message="squeaks")] if self.config.fail == "partly" else []
        return AgentResult(
            metrics=DialMetrics(level=self.config.level, drawn=random.random()),
            measurements=[Measurement(label=b, metric="level", value=self.config.level) for b in job.baselines],
            artifacts={"note": note},
            errors=errors,
        )

@hookimpl
def netwright_agents():
    return [
        AgentSpec(
            name="dial", summary="Turns", target="inline:DialAgent", config="inline:DialConfig",
            baseline_groups=("dials",), default_baselines=("left",), needs_case=False,
        ),
        AgentSpec(name="needy", summary="Needs", target="inline:DialAgent", config="inline:DialConfig"),
    ]

@hookimpl
def netwright_baselines():
    return [
        BaselineSpec(name="left", summary="Left", target="operator:neg", group="dials"),
        BaselineSpec(name="right", summary="Right", target="operator:pos", group="dials", config="inline:DialConfig"),
        BaselineSpec(name="other", summary="Other", target="operator:pos", group="others"),
    ]
"""


@pytest.fixture(autouse=True)
def plugin(register_plugin: Callable[..., Registry]) -> Registry:
    return register_plugin(PLUGIN)


@pytest.fixture
def folder(project: Path) -> RunFolder:
    return RunFolder(project / "run")


def settings(fail: str = "", **values: Any) -> dict[str, Any]:
    return {"agent": {"name": "dial", "fail": fail}, **values}


def quiet() -> RunContext:
    from rich.console import Console

    return RunContext(console=Console(quiet=True))


def test_result_file_holds_what_was_returned(folder: RunFolder) -> None:
    result = run_job(settings(seed=5, baseline=["left", "right"]), folder, context=quiet())
    assert read_result(folder.path) == result
    assert result.status == "ok"
    assert result.metrics["level"] == 3
    assert [(row.label, row.value, row.seed) for row in result.measurements] == [("left", 3.0, 5), ("right", 3.0, 5)]
    assert result.artifacts == {"note": "artifacts/dial/note.txt"}
    assert folder.report_file.exists()
    assert json.loads(folder.environment_file.read_text())
    events = [(event["event"], event.get("step")) for event in read_json_lines(folder.events_file)]
    steps = [(event, step) for step in ("load dial", "turn") for event in ("step_started", "step_ended")]
    assert events == [("job_started", None), *steps, ("job_ended", None)]


def test_default_baselines_are_the_agents(folder: RunFolder) -> None:
    assert [row.label for row in run_job(settings(), folder, context=quiet()).measurements] == ["left"]


def test_survived_errors_make_it_partial(folder: RunFolder) -> None:
    result = run_job(settings("partly"), folder, context=quiet())
    assert result.status == "partial"
    assert result.errors[0].message == "squeaks"


def test_seed_reaches_the_global_generators(project: Path) -> None:
    draws = [
        run_job(settings(seed=seed), RunFolder(project / f"{n}"), context=quiet()).metrics["drawn"]
        for n, seed in enumerate((1, 1, 2))
    ]
    assert draws[0] == draws[1] != draws[2]


def test_failed_work_is_recorded_and_raised(folder: RunFolder) -> None:
    with pytest.raises(NetwrightError, match="the dial is stuck; oil it"):
        run_job(settings("work"), folder, context=quiet())
    result = read_result(folder.path)
    assert result.status == "failed"
    assert result.errors[0].message == "the dial is stuck; oil it"
    assert folder.report_file.exists()


def test_bug_leaves_its_traceback(folder: RunFolder) -> None:
    with pytest.raises(ZeroDivisionError):
        run_job(settings("bug"), folder, context=quiet())
    assert read_result(folder.path).errors[0].message == "ZeroDivisionError: by zero"
    assert "ZeroDivisionError" in (folder.path / "traceback.txt").read_text()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (settings(seed=-1), "'seed' cannot be -1"),
        (settings(sede=1), "unknown key 'sede'; did you mean 'seed'?"),
        (settings(baseline="lfet"), "no baseline named 'lfet'; did you mean 'left'?"),
        (settings(baseline="other"), "agent 'dial' cannot use baseline 'other'; it takes dials baselines"),
        (settings(baseline_options={"left": {"x": 1}}), "baseline 'left' takes none"),
        (settings(baseline="right", baseline_options={"right": {"levl": 1}}), "'baseline_options.right.levl'"),
        (settings(baseline_options={"right": {}}), "no baseline in this job named 'right'"),
        ({"agent": {"name": "dial", "level": "high"}}, "'agent.level' cannot be 'high'"),
        ({"agent": {"name": "dail"}}, "no agent named 'dail'; did you mean 'dial'?"),
        ({"agent": {"name": "needy"}}, "agent 'needy' needs a case"),
        (settings(sweep={"resume": True}), "only a sweep with a name can be resumed: add sweep.name=NAME"),
        (settings(sandbox={"require": "none"}), "'sandbox.require' cannot be 'none'"),
        (settings(sandbox={"limits": {"memory_mib": 1}}), "'sandbox.limits.memory_mib' cannot be 1"),
        (settings(workspace="/nowhere"), "the workspace /nowhere does not exist"),
        (settings(case_options={"dtype": "float31"}), "'case_options.dtype' cannot be 'float31'"),
    ],
)
def test_bad_settings_are_one_line_and_recorded(folder: RunFolder, values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        run_job(values, folder, context=quiet())
    assert message in str(caught.value)
    assert read_result(folder.path).errors[0].exit_code == 2


def test_a_sandbox_that_is_required_and_missing_ends_the_job(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder.path))
    with pytest.raises(UserError, match="'bubblewrap' does not work on this machine; there is no bwrap"):
        run_job(settings(sandbox={"require": "bubblewrap"}), folder, context=quiet())
    assert run_job(settings(sandbox={"require": "rlimits"}), folder, context=quiet()).status == "ok"


def test_hash_ignores_the_sweep_and_nothing_else() -> None:
    def hash_of(**values: Any) -> str:
        return JobConfig.model_validate(settings(**values)).hash

    assert hash_of() == hash_of(sweep={"name": "x", "resume": True})
    assert len({hash_of(), hash_of(seed=1), hash_of(case="x"), hash_of(baseline="left")}) == 4


def test_broken_plugins_are_named_at_the_start(folder: RunFolder, register_plugin: Callable[..., Registry]) -> None:
    register_plugin("from netwright import hookimpl\n\n@hookimpl\ndef netwright_tools():\n    return 1 / 0\n", "broken")
    run_job(settings(), folder, context=quiet())
    (warning,) = (event for event in read_json_lines(folder.events_file) if event["event"] == "warning")
    assert warning["message"] == "plugin 'broken': netwright_tools raises ZeroDivisionError: division by zero"
