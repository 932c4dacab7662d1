"""A killed job goes on in its own folder with its own configuration, and ends as if it had not been killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from netwright.context import RunContext
from netwright.errors import NetwrightError, UserError
from netwright.registry import Registry
from netwright.resume import earlier_parts, resume_run
from netwright.run import run_job
from netwright.runfolder import RunFolder, read_json_lines, read_result

PLUGIN = '''
"""A plugin whose agent climbs stairs, one node a step."""

import os
import signal
from pathlib import Path

from pydantic import BaseModel

from netwright import hookimpl
from netwright.agent import BaseAgent
from netwright.config import Config
from netwright.context import current_run
from netwright.result import AgentResult, Measurement
from netwright.specs import AgentSpec
from netwright.workflow import END, Route, Workflow


class ClimberConfig(Config):
    floors: int = 3


class Climb(BaseModel):
    floors: int
    seed: int
    floor: int = 0
    seen: list[str] = []


def step(state):
    """Climb one floor."""
    with open("executions.log", "a") as log:
        log.write(f"step {state.floor}\\n")
    if os.environ.get("FALL_AT") == str(state.floor):
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get("TRIP_AT") == str(state.floor):
        raise RuntimeError("tripped")
    return {"floor": state.floor + 1}


def look(state):
    """Look around."""
    return {"seen": [*state.seen, f"floor {state.floor} of seed {state.seed}"]}


CLIMB = Workflow(
    "climb",
    Climb,
    nodes={"step": step, "look": look},
    edges={"step": "look", "look": Route(lambda s: "step" if s.floor < s.floors else END, ("step", END))},
    approve_before=("look",),
)


class ClimberAgent(BaseAgent):
    config_class = ClimberConfig

    def get_agent_role(self):
        return "You climb stairs."

    def execute(self, job):
        result = CLIMB.run(Climb(floors=self.config.floors, seed=job.seed))
        return AgentResult(
            metrics=result.state,
            measurements=[Measurement(label="climber", metric="floors", value=result.state.floor)],
            errors=result.errors,
        )


class SitterAgent(ClimberAgent):
    def execute(self, job):
        return AgentResult(metrics=Climb(floors=0, seed=0))


@hookimpl
def netwright_agents():
    return [
        AgentSpec(
            name="climber", summary="Climbs", target="MODULE:ClimberAgent", config="MODULE:ClimberConfig",
            needs_case=False, resumable=True,
        ),
        AgentSpec(
            name="sitter", summary="Sits", target="MODULE:SitterAgent", config="MODULE:ClimberConfig", needs_case=False
        ),
    ]
'''

Netwright = Callable[..., subprocess.CompletedProcess[str]]


def quiet() -> RunContext:
    return RunContext(console=Console(quiet=True))


def events_of(folder: RunFolder, name: str) -> list[dict[str, Any]]:
    return [event for event in read_json_lines(folder.events_file) if event["event"] == name]


@pytest.fixture
def plugin(register_plugin: Callable[..., Registry]) -> Registry:
    return register_plugin(PLUGIN.replace("MODULE", "inline"))


@pytest.fixture
def folder(project: Path, plugin: Registry) -> RunFolder:
    return RunFolder(project / "run")


def stop_after(folder: RunFolder, steps: int) -> None:
    """A run that its budget stopped."""
    settings = {"agent": {"name": "climber", "floors": 3}, "seed": 4, "workflow": {"budgets": {"steps": steps}}}
    assert run_job(settings, folder, context=quiet()).status == "partial"


def test_a_stopped_run_goes_on_with_a_greater_budget(folder: RunFolder) -> None:
    stop_after(folder, 3)
    environment = folder.environment_file.read_bytes()
    first = read_result(folder.path)
    assert "workflow.budgets.steps=3" in first.errors[0].message
    result = resume_run(folder.path, ["workflow.budgets.steps=100"], context=quiet())
    assert result is not None
    assert (result.status, result.metrics["floor"], result.seed) == ("ok", 3, 4)
    assert result.config["workflow"]["budgets"]["steps"] == 100
    assert (result.config_hash, result.started) == (first.config_hash, events_started(folder))
    assert result.duration_s >= first.duration_s
    assert folder.environment_file.read_bytes() == environment
    assert read_result(folder.path) == result
    assert "100" not in (folder.path / "events.jsonl").read_text().splitlines()[0]


def events_started(folder: RunFolder) -> object:
    return earlier_parts(list(read_json_lines(folder.events_file))).started


def test_what_a_killed_writer_left_is_cleared_away(folder: RunFolder) -> None:
    stop_after(folder, 3)
    torn = [folder.path / ".result.json.abc.part", folder.workflow / ".climb.json.xyz.part"]
    for path in torn:
        path.write_text('{"half')
    resume_run(folder.path, ["workflow.budgets.steps=null"], context=quiet())
    assert not any(path.exists() for path in torn)


def test_without_a_greater_budget_it_stops_where_it_stood(folder: RunFolder) -> None:
    stop_after(folder, 3)
    result = resume_run(folder.path, context=quiet())
    assert result is not None
    assert result.status == "partial"


def test_a_failed_run_goes_on_with_the_node_that_failed(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIP_AT", "1")
    with pytest.raises(RuntimeError, match="tripped"):
        run_job({"agent": {"name": "climber"}}, folder, context=quiet())
    monkeypatch.delenv("TRIP_AT")
    result = resume_run(folder.path, context=quiet())
    assert result is not None
    assert (result.status, result.metrics["floor"]) == ("ok", 3)
    assert Path("executions.log").read_text().split("\n")[:-1] == ["step 0", "step 1", "step 1", "step 2"]


def test_approval_without_a_terminal_is_partial_and_goes_on_with_auto(folder: RunFolder) -> None:
    asked = run_job({"agent": {"name": "climber"}, "workflow": {"approve": "ask"}}, folder, context=quiet())
    assert asked.status == "partial"
    assert f"netwright run resume={folder.path} workflow.approve=auto" in asked.errors[0].message
    result = resume_run(folder.path, ["workflow.approve=auto"], context=quiet())
    assert result is not None
    assert result.status == "ok"


def test_the_same_job_in_the_same_folder_goes_on_too(folder: RunFolder) -> None:
    """As a sweep does that is resumed."""
    stop_after(folder, 3)
    result = run_job({"agent": {"name": "climber", "floors": 3}, "seed": 4}, folder, context=quiet())
    assert result.status == "ok"
    assert len(Path("executions.log").read_text().splitlines()) == 3


def test_a_finished_run_is_left_alone(folder: RunFolder) -> None:
    run_job({"agent": {"name": "climber"}}, folder, context=quiet())
    before = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    assert resume_run(folder.path, context=quiet()) is None
    assert {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()} == before


def test_a_report_that_was_not_written_any_more_is_made_up_for(folder: RunFolder) -> None:
    run_job({"agent": {"name": "climber"}}, folder, context=quiet())
    page = folder.report_file.read_bytes()
    folder.report_file.unlink()
    assert resume_run(folder.path, context=quiet()) is None
    assert folder.report_file.read_bytes() == page


def test_it_goes_on_in_the_folder_where_it_began(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_after(folder, 3)
    monkeypatch.chdir("/")
    assert resume_run(folder.path, ["workflow.budgets.steps=null"], context=quiet()) is not None
    assert Path.cwd() == Path("/")
    assert len((folder.path.parent / "executions.log").read_text().splitlines()) == 3


def test_the_report_shows_the_graph(folder: RunFolder, read_page: Callable[[str], Any]) -> None:
    run_job({"agent": {"name": "climber"}}, folder, context=quiet())
    page = read_page(folder.report_file.read_text())
    assert "Workflow climb" in page.text
    assert any("step 3 times" in (svg.get("aria-label") or "") for svg in page.all("svg"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed=5", "'seed=5' would change the run in .*goes on with its own configuration"),
        ("agent.floors=9", "'agent.floors=9' would change the run"),
        ("agent=sitter", "the run in .* is of agent 'climber'"),
        ("experiment=quickstart", "'experiment=quickstart' would change the run"),
        ("+agent.more=1", "does not go with resume=FOLDER"),
        ("~case", "does not go with resume=FOLDER"),
        ("workflow.budgets.steps=1,2", "does not go with resume=FOLDER"),
        ("workflow.budgets.step=9", "unknown key 'workflow.budgets.step'; did you mean 'steps'"),
        ("workflow.approve=perhaps", "workflow.approve"),
        ("workflow=3", "workflow"),
        ("seed=[", "cannot read the override"),
    ],
)
def test_overrides_that_would_change_it_are_refused(folder: RunFolder, override: str, message: str) -> None:
    stop_after(folder, 1)
    before = folder.result_file.read_bytes()
    with pytest.raises(UserError, match=message):
        resume_run(folder.path, [override], context=quiet())
    assert folder.result_file.read_bytes() == before


@pytest.mark.parametrize("override", ["seed=4", "agent=climber", "agent.floors=3", "case=null"])
def test_overrides_that_say_what_was_recorded_are_fine(folder: RunFolder, override: str) -> None:
    stop_after(folder, 1)
    assert resume_run(folder.path, [override], context=quiet()) is not None


def test_a_run_without_workflow_is_refused(folder: RunFolder) -> None:
    run_job({"agent": {"name": "sitter"}}, folder, context=quiet())
    with pytest.raises(UserError, match="cannot be resumed; agent 'sitter' runs no workflow"):
        resume_run(folder.path, context=quiet())


def test_a_folder_without_a_run_is_refused(project: Path) -> None:
    (project / "empty").mkdir()
    with pytest.raises(UserError, match="holds no run to resume"):
        resume_run(project / "empty")
    assert list((project / "empty").iterdir()) == []
    with pytest.raises(UserError, match="there is no folder"):
        resume_run(project / "nowhere")


def test_another_agents_checkpoint_is_refused(folder: RunFolder) -> None:
    stop_after(folder, 1)
    other = RunFolder(folder.path.with_name("other"))
    run_job({"agent": {"name": "climber", "floors": 9}, "workflow": {"budgets": {"steps": 0}}}, other, context=quiet())
    (other.workflow / "climb.sqlite").rename(folder.workflow / "climb.sqlite")
    with pytest.raises(UserError, match=r"cannot go on from .*climb\.sqlite; it began with another state"):
        resume_run(folder.path, context=quiet())


def test_two_at_a_time_are_refused(folder: RunFolder) -> None:
    stop_after(folder, 1)
    before = folder.result_file.read_bytes()
    with folder.lock(), pytest.raises(UserError, match="is in use; another process works on this run"):
        resume_run(folder.path, context=quiet())
    assert folder.result_file.read_bytes() == before
    with folder.lock(), pytest.raises(NetwrightError, match="is in use"):
        run_job({"agent": {"name": "climber"}}, folder, context=quiet())


def test_seconds_of_all_parts_are_summed() -> None:
    def event(name: str, second: int) -> dict[str, str]:
        return {"event": name, "time": f"2026-11-20T12:00:{second:02d}+00:00"}

    parts = [event("job_started", 0), event("x", 5), event("job_resumed", 30), event("x", 31), event("job_ended", 34)]
    earlier = earlier_parts(parts)
    assert (earlier.started.second, earlier.seconds) == (0, 9.0)


@pytest.fixture
def installed(project: Path, tmp_path: Path) -> Path:
    """The plugin on a path of its own, with an entry point and a config, for processes that Hydra composes for."""
    site = tmp_path / "site"
    package = site / "climbing"
    (package / "conf" / "agent").mkdir(parents=True)
    (package / "__init__.py").write_text(PLUGIN.replace("MODULE", "climbing"))
    (package / "conf" / "agent" / "climber.yaml").write_text("name: climber\nfloors: 3\n")
    (package / "conf" / "agent" / "sitter.yaml").write_text("name: sitter\nfloors: 3\n")
    about = site / "climbing-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: climbing\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[netwright]\nclimbing = climbing\n")
    return site


@pytest.fixture
def netwright(project: Path, installed: Path) -> Netwright:
    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "netwright.cli.main", *arguments],
            cwd=project,
            env={**os.environ, "PYTHONPATH": str(installed), "COLUMNS": "80", "NO_COLOR": "1", **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def without_times(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key not in ("started", "duration_s")}


@pytest.mark.slow
def test_a_killed_command_is_resumed_to_the_same_result(netwright: Netwright, project: Path) -> None:
    arguments = ("run", "agent=climber", "agent.floors=4", "seed=6")
    whole = netwright(*arguments, "hydra.run.dir=whole")
    assert whole.returncode == 0, whole.stderr
    (project / "executions.log").unlink()

    killed = netwright(*arguments, "hydra.run.dir=killed", FALL_AT="2")
    assert killed.returncode == -signal.SIGKILL
    folder = RunFolder(project / "killed")
    assert not folder.result_file.exists()
    hydra = {path.name: path.read_bytes() for path in (folder.path / ".hydra").iterdir()}
    environment = folder.environment_file.read_bytes()

    resumed = netwright("run", "resume=killed")
    assert resumed.returncode == 0, resumed.stderr
    results = [json.loads((project / name / "result.json").read_text()) for name in ("whole", "killed")]
    assert without_times(results[0]) == without_times(results[1])
    assert results[1]["status"] == "ok"
    assert {path.name: path.read_bytes() for path in (folder.path / ".hydra").iterdir()} == hydra
    assert folder.environment_file.read_bytes() == environment
    assert (project / "executions.log").read_text().split("\n")[:-1] == [
        "step 0",
        "step 1",
        "step 2",
        "step 2",
        "step 3",
    ]
    assert len(events_of(folder, "job_started")) == len(events_of(folder, "job_resumed")) == 1
    assert len(events_of(folder, "workflow_resumed")) == len(events_of(folder, "workflow_finished")) == 1
    assert "climb" in folder.report_file.read_text()

    again = netwright("run", "resume=killed")
    assert again.returncode == 0
    assert "has ended with status ok: nothing to do" in again.stdout


@pytest.mark.acceptance
@pytest.mark.timeout(1800)
def test_a_command_killed_at_random_instants(netwright: Netwright, project: Path, installed: Path) -> None:
    """From the start of the process to its end: either nothing was begun, or it is resumed to the same result."""
    arguments = ("run", "agent=climber", "agent.floors=30")
    started = time.perf_counter()
    assert netwright(*arguments, "hydra.run.dir=whole").returncode == 0
    seconds = time.perf_counter() - started
    whole = without_times(json.loads((project / "whole" / "result.json").read_text()))
    generator, resumed = random.Random(3), 0
    for number in range(20):
        folder = project / f"killed-{number}"
        process = subprocess.Popen(
            [sys.executable, "-m", "netwright.cli.main", *arguments, f"hydra.run.dir={folder.name}", "--quiet"],
            cwd=project,
            env={**os.environ, "PYTHONPATH": str(installed)},
        )
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=generator.uniform(0.2 * seconds, seconds))
        process.kill()
        process.wait()
        done = netwright("run", f"resume={folder.name}")
        if done.returncode == 2:
            assert "holds no run to resume" in done.stderr or "there is no folder" in done.stderr
            assert not (folder / "workflow").exists()
            continue
        assert done.returncode == 0, done.stderr
        resumed += 1
        assert without_times(json.loads((folder / "result.json").read_text())) == whole
        assert (folder / "environment.json").exists()
        assert (folder / "report.html").exists()
        assert not list(folder.rglob(".*.part"))
    assert resumed > 5


@pytest.mark.slow
def test_wrong_resumptions_are_one_line_and_exit_code_2(netwright: Netwright, project: Path) -> None:
    assert netwright("run", "agent=climber", "hydra.run.dir=run", "workflow.budgets.steps=1").returncode == 0
    for arguments, message in (
        (["resume=run", "agent=sitter"], "is of agent 'climber'"),
        (["resume=nowhere"], "there is no folder nowhere"),
        (["resume=."], "holds no run to resume"),
        (["resume="], "resume= takes the folder of one run"),
        (["-m", "resume=run"], "a sweep is resumed by sweep.name"),
    ):
        done = netwright("run", *arguments)
        assert done.returncode == 2, (arguments, done.stderr)
        (line,) = done.stderr.splitlines()
        assert line.startswith("error: ")
        assert message in line
