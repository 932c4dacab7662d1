"""Resumption: what a run that was killed has finished is not done again."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from netwright.context import current_run
from netwright.files import write_text
from netwright.result import ErrorRecord, Record
from netwright.runfolder import read_json_lines
from netwright_pruning.metrics import MethodReport

FINISHED = "trial.json"
BEGINNINGS = ("job_started", "job_resumed")


class FinishedTrial(Record):
    """What a baseline came to, as its folder keeps it."""

    report: MethodReport
    errors: list[ErrorRecord] = []


def write_finished(folder: Path, report: MethodReport, errors: Iterable[ErrorRecord] = ()) -> None:
    """Keep a trial, whole."""
    write_text(folder / FINISHED, FinishedTrial(report=report, errors=list(errors)).model_dump_json())


def read_finished(folder: Path) -> FinishedTrial | None:
    """The trial that a folder keeps, if this run goes on and had finished it; one that was stopped is not."""
    if not goes_on():
        return None
    try:
        found = FinishedTrial.model_validate_json((folder / FINISHED).read_bytes())
    except (OSError, ValidationError):
        return None
    return None if found.errors else found


def goes_on() -> bool:
    """Whether the run in force goes on with one that was killed or stopped."""
    folder = current_run().folder
    if folder is None or not folder.events_file.exists():
        return False
    beginnings = [event["event"] for event in read_json_lines(folder.events_file) if event["event"] in BEGINNINGS]
    return bool(beginnings) and beginnings[-1] == "job_resumed"


def begin() -> None:
    """Remove the agents' checkpoints of another run in the same folder; nothing where the run goes on."""
    folder = current_run().folder
    if folder is not None and not goes_on():
        for checkpoint in folder.workflow.glob("pruning*"):
            checkpoint.unlink()
        for attempts in (folder.path / "artifacts").glob("*/attempts"):
            shutil.rmtree(attempts)
