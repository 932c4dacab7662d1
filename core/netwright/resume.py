"""Going on with a run that was killed, stopped or failed, in its own folder and with its own configuration."""

import os
from collections.abc import Mapping, Sequence
from contextlib import chdir
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from netwright.compose import explain
from netwright.config import parse_config
from netwright.console import console, set_quiet
from netwright.context import RunContext
from netwright.errors import UserError
from netwright.registry import registry
from netwright.report import write_report
from netwright.result import Result
from netwright.run import EarlierParts, JobConfig, run_locked
from netwright.runfolder import RunFolder, read_json_lines, read_result
from netwright.sweep import QUIET_VARIABLE, show_result
from netwright.workflow.record import read_records


def resume_run(path: Path, overrides: Sequence[str] = (), *, context: RunContext | None = None) -> Result | None:
    """Go on with the run in a folder.

    Its configuration is the one that its log recorded when it began; the current folder is the one of then, too.
    What the agent's workflows have committed is not done again.

    Args:
        path: The run's folder.
        overrides: `workflow.KEY=VALUE`; others only if they say what was recorded.
        context: Surroundings to use, as for `run_job`.

    Returns:
        What `result.json` now holds; None for a run that had ended, where nothing was done.

    Raises:
        UserError: The folder holds no run, one of an agent without workflow, or one that another process works on; or
            an override would change what the run is.
        NetwrightError: The work failed.
    """
    folder = _existing(path)
    events = list(read_json_lines(folder.events_file))
    first = next((event for event in events if event["event"] == "job_started" and "config" in event), None)
    if first is None:
        raise UserError(f"{folder.path} holds no run to resume", why="its events.jsonl records no job that began")
    settings = _with_overrides(first["config"], overrides, folder)
    _check_agent(parse_config(JobConfig, settings), folder)
    home = Path(first["cwd"])
    if not home.is_dir():
        raise UserError(f"the run in {folder.path} began in {home}", why="there is no such folder any more")
    with folder.lock():
        if _is_complete(folder):
            if not folder.report_file.exists():  # killed between the two
                write_report(folder)
            return None
        for stale in (folder.result_file, folder.report_file, *folder.path.rglob(".*.part")):  # of an earlier part
            stale.unlink(missing_ok=True)
        with chdir(home):
            return run_locked(settings, folder, context=context, earlier=earlier_parts(events))


def resume_and_show(path: Path, overrides: Sequence[str]) -> int:
    """`netwright run resume=FOLDER`: resume and print the result, or say that there is nothing to do."""
    set_quiet(os.environ.get(QUIET_VARIABLE) == "1")
    result = resume_run(path, overrides, context=RunContext(console=console))
    folder = RunFolder(path)
    if result is None:
        status = read_result(folder.path).status
        line = f"the run in {path} has ended with status {status}: nothing to do"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    else:
        show_result(result, folder)
    return 0


def earlier_parts(events: Sequence[Mapping[str, Any]]) -> EarlierParts:
    """When a job first began, and how many seconds its parts lasted, each from its first event to its last."""
    parts: list[list[datetime]] = []
    for event in events:
        if event["event"] in ("job_started", "job_resumed"):
            parts.append([])
        if parts:
            parts[-1].append(datetime.fromisoformat(event["time"]))
    return EarlierParts(parts[0][0], sum((part[-1] - part[0]).total_seconds() for part in parts))


def _existing(path: Path) -> RunFolder:
    if not path.is_dir():
        raise UserError(f"there is no folder {path}", remedy="name a run's folder: resume=outputs/DATE/TIME-NAME")
    return RunFolder(path)


def _check_agent(config: JobConfig, folder: RunFolder) -> None:
    if not registry().agent(config.agent_name).resumable:
        raise UserError(
            f"the run in {folder.path} cannot be resumed",
            why=f"agent '{config.agent_name}' runs no workflow",
            remedy="run it again",
        )


def _is_complete(folder: RunFolder) -> bool:
    """Whether a run has ended: with a result, and no workflow that stopped before its end."""
    if not folder.result_file.exists():
        return False
    status = read_result(folder.path).status
    stopped = any(record.progress != "finished" for record in read_records(folder.workflow))
    return status == "ok" or (status == "partial" and not stopped)


def _with_overrides(recorded: Mapping[str, Any], overrides: Sequence[str], folder: RunFolder) -> dict[str, Any]:
    """The recorded configuration with the overrides of `workflow`, once no other changes it."""
    settings = deepcopy(dict(recorded))
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        raise explain(error, list(overrides)) from error
    for override in parsed:
        key, line = override.key_or_group, str(override.input_line)
        if override.is_sweep_override() or override.is_add() or override.is_delete():
            raise UserError(f"'{line}' does not go with resume=FOLDER", why="only workflow.KEY=VALUE does")
        value = override.value()
        if key.split(".")[0] == "workflow":
            _set(settings, key.split("."), value)
        elif key == "agent" and value != (owner := settings["agent"]["name"]):
            raise UserError(f"the run in {folder.path} is of agent '{owner}'", why=f"'{line}' names another")
        elif key != "agent" and (key == "experiment" or _get(settings, key.split(".")) != value):
            raise UserError(
                f"'{line}' would change the run in {folder.path}",
                why="it goes on with its own configuration",
                remedy="only workflow.KEY=VALUE may be changed; start a new run for another configuration",
            )
    return settings


def _get(values: Any, path: Sequence[str]) -> Any:
    for part in path:
        values = values.get(part) if isinstance(values, dict) else None
    return values


def _set(values: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for part in path[:-1]:
        inner = values.get(part)
        values[part] = inner = inner if isinstance(inner, dict) else {}
        values = inner
    values[path[-1]] = value
