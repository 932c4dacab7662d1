"""The report of one run: `report.html` from what lies in its folder."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from netwright.files import write_text
from netwright.headline import headlines
from netwright.render import measurement_table, missing_values, not_measured
from netwright.report.graph import graph_drawing
from netwright.report.page import render_page, sections, table_of
from netwright.report.timeline import read_steps, read_warnings
from netwright.result import Result
from netwright.runfolder import RunFolder, read_json_lines, read_result
from netwright.workflow.record import read_records


def write_report(folder: RunFolder | Path) -> Path:
    """Write `report.html` into a run's folder, the same bytes for the same content.

    Returns:
        Its path.

    Raises:
        UserError: There is no result.json that this version reads, or the folder cannot be written.
    """
    path = folder.path if isinstance(folder, RunFolder) else folder
    result = read_result(path)
    run = folder if isinstance(folder, RunFolder) else RunFolder(path)
    write_text(run.report_file, report_page(run, result))
    return run.report_file


def report_page(folder: RunFolder, result: Result) -> str:
    """The page of a run's folder."""
    events = list(read_json_lines(folder.events_file))
    steps = read_steps(events)
    ends = [step.start + (step.seconds or 0) for step in steps]
    return render_page(
        "run.html",
        result=result,
        subject=f"{result.agent} · {result.case}" if result.case else result.agent,
        headlines=headlines(result),
        notices=[*not_measured(missing_values(result.measurements)), *read_warnings(events)],
        sections=sections(result.blocks),
        workflows=[(record, graph_drawing(record)) for record in read_records(folder.workflow)],
        measurements=measurement_table(result.measurements) if result.measurements else None,
        artifacts=list(_artifacts(folder, result)),
        steps=steps,
        span=max([*ends, 1e-9]),
        decisions=list(_decisions(folder)),
        modules=table_of(result.modules)
        if result.modules and not any("children" in row for row in result.modules)
        else None,
        environment=_environment(folder),
    )


def _decisions(folder: RunFolder) -> Iterator[tuple[str, dict[str, Any]]]:
    """What each decision was about, and all else that the log says of it."""
    for number, record in enumerate(read_json_lines(folder.decisions_file), start=1):
        time = datetime.fromisoformat(record["time"]).strftime("%H:%M:%S")
        yield str(record.pop("question", f"decision {number}")), {**record, "time": time}


def _artifacts(folder: RunFolder, result: Result) -> Iterator[tuple[str, str, str]]:
    """Name, path and link of what the run left beside its report; a link never leaves the folder's own tree."""
    named = dict(result.artifacts)
    for name, path in (("TensorBoard logs", folder.tensorboard), ("language model transcripts", folder.llm)):
        if path.is_dir():
            named.setdefault(name, folder.relative(path))
    for name, place in named.items():
        yield name, place, f"./{quote(place)}"


def _environment(folder: RunFolder) -> dict[str, Any] | None:
    """What environment.json says; None where there is none or it is no JSON object."""
    try:
        values = json.loads(folder.environment_file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return values if isinstance(values, dict) else None
