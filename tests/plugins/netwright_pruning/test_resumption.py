"""Resumption: only a run that goes on takes over what an earlier part of it finished."""

from pathlib import Path

import pytest

from netwright.context import RunContext, use_run
from netwright.result import ErrorRecord
from netwright.runfolder import RunFolder
from netwright_pruning.metrics import Figures, MethodReport, Stages
from netwright_pruning.outcome import BudgetOutcome
from netwright_pruning.resumption import begin, goes_on, read_finished, write_finished

BUDGET = BudgetOutcome(
    metric="macs",
    unpruned=100,
    target=50,
    tolerance=0.01,
    achieved=50,
    error=0.0,
    within=True,
    round_to=8,
    attempts=[],
)
REPORT = MethodReport(
    label="taylor", stages=Stages(), after=Figures(parameters=1, macs=50), budget=BUDGET, widths={}, seconds=1.0
)


@pytest.fixture
def folder(run_context: RunContext) -> RunFolder:
    assert run_context.folder is not None
    run_context.folder.event("job_started")
    return run_context.folder


def test_a_trial_is_read_back_only_by_a_run_that_goes_on(folder: RunFolder) -> None:
    place = folder.path / "artifacts" / "taylor"
    write_finished(place, REPORT)
    assert not goes_on()
    assert read_finished(place) is None
    folder.event("job_resumed")
    assert goes_on()
    found = read_finished(place)
    assert found is not None
    assert found.report == REPORT
    assert read_finished(place.with_name("l1")) is None
    folder.event("job_started")  # another job in the same folder
    assert read_finished(place) is None


def test_a_trial_that_was_stopped_is_taken_up_again(folder: RunFolder) -> None:
    folder.event("job_resumed")
    write_finished(folder.path, REPORT, [ErrorRecord(where="workflow", message="stopped")])
    assert read_finished(folder.path) is None


def test_another_jobs_checkpoints_are_removed(folder: RunFolder) -> None:
    folder.workflow.mkdir()
    checkpoint, attempts = folder.workflow / "pruning.sqlite", folder.path / "artifacts" / "multi_agent" / "attempts"
    for resumed in (True, False):
        checkpoint.write_text("")
        attempts.mkdir(parents=True, exist_ok=True)
        folder.event("job_resumed" if resumed else "job_started")
        begin()
        assert checkpoint.exists() == attempts.exists() == resumed


def test_outside_a_run_nothing_goes_on(tmp_path: Path) -> None:
    with use_run(RunContext()):
        begin()
        assert not goes_on()
        assert read_finished(tmp_path) is None
