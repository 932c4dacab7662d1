"""Collecting: the results of many runs as one table, with everything that went wrong listed beside it."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rich.console import Group as Renderables
from rich.console import RenderableType
from rich.text import Text

from netwright.collect.aggregate import Group, aggregate, varying_keys
from netwright.collect.comparison import comparison_tables, primary_metrics
from netwright.collect.fast_p import answers, fast_p, fast_p_tables
from netwright.collect.records import CollectedRuns, Problem
from netwright.errors import UserError, unknown_name
from netwright.files import write_text
from netwright.render import FittedTable, not_measured
from netwright.result import Result
from netwright.runfolder import read_result


class Collection(CollectedRuns):
    """Collected runs, to be shown and written."""

    def __rich__(self) -> RenderableType:
        """The tables, then the problems."""
        parts: list[RenderableType] = []
        for table in [*fast_p_tables(self.fast_p), *comparison_tables(self.groups, self.metrics)]:
            parts += [FittedTable(table), ""]
        if self.further_metrics:
            parts.append(Text(f"also measured: {', '.join(self.further_metrics)}", style="dim"))
        parts += [Text(line, style="yellow") for line in not_measured(self.missing_values())]
        parts += [_problem_line(problem) for problem in self.problems]
        return Renderables(*parts, f"{self.runs} {'run' if self.runs == 1 else 'runs'} collected, {self.failed} failed")

    def write(self, folder: Path) -> list[Path]:
        """Write `collected.csv`, `collected.json` and `collected.html` into `folder`.

        Raises:
            UserError: The folder cannot be written.
        """
        paths = [folder / f"collected.{suffix}" for suffix in ("csv", "json", "html")]
        self.write_csv(paths[0])
        self.write_json(paths[1])
        self.write_html(paths[2])
        return paths

    def write_csv(self, path: Path) -> None:
        """One row per group; raises as `write`."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        names = ["case", "agent", *self.varying, "label", "stage", "metric", "unit"]
        writer.writerow([*names, "n", "mean", "standard_error", "seeds", "not_measured"])
        for group in self.groups:
            settings = [group.settings.get(key, "") for key in self.varying]
            subject = [group.case, group.agent, *settings, group.label, group.stage, group.metric, group.unit]
            seeds = " ".join(str(seed) for seed in group.seeds)
            writer.writerow([*subject, group.n, group.mean, group.standard_error, seeds, "; ".join(group.not_measured)])
        write_text(path, text.getvalue())

    def write_json(self, path: Path) -> None:
        """The whole collection; raises as `write`."""
        write_text(path, self.model_dump_json(indent=2) + "\n")

    def write_html(self, path: Path) -> None:
        """One page that needs nothing else; raises as `write`."""
        from netwright.collect.page import collection_page

        write_text(path, collection_page(self))


def collect(folder: Path, *, metrics: Sequence[str] | None = None) -> Collection:
    """Read every result.json below `folder` and aggregate it over seeds.

    Runs that failed, have not ended or cannot be read are listed and hide no other. Of several runs of the same
    configuration the latest counts, one that did not fail before one that did.

    Args:
        metrics: Those to show, in this order; by default a few that fit a terminal. Files hold all of them anyway.

    Raises:
        UserError: There are no runs below `folder`, or none measured a metric that was asked for.
    """
    found, problems = _read(folder)
    if not found and not problems:
        raise UserError(f"no runs below {folder}", remedy="name a folder that 'netwright run' wrote, or one above such")
    runs, superseded = _latest(found)
    problems += superseded
    for name, result in runs:
        kind: Literal["failed", "partial"] = "failed" if result.status == "failed" else "partial"
        problems += [Problem(kind=kind, folder=name, message=error.message) for error in result.errors]
    results = [result for _, result in runs if result.status != "failed"]
    groups = aggregate(results)
    return Collection(
        name=folder.resolve().name,
        runs=len(results),
        varying=varying_keys(results),
        metrics=_shown(groups, metrics),
        groups=groups,
        fast_p=fast_p(answers([result for _, result in runs])),
        problems=sorted(problems, key=lambda problem: (problem.kind, problem.folder)),
    )


Run = tuple[str, Result]


def _read(folder: Path) -> tuple[list[Run], list[Problem]]:
    """The runs below `folder` by relative path, oldest first, and the folders that hold no readable result."""
    runs: list[Run] = []
    problems: list[Problem] = []
    jobs = {path.parent for pattern in ("result.json", ".hydra") for path in folder.rglob(pattern)}
    for job in sorted(jobs):
        name = job.relative_to(folder).as_posix()
        if not (job / "result.json").exists():
            problems.append(Problem(kind="unfinished", folder=name, message="there is no result.json"))
            continue
        try:
            runs.append((name, read_result(job)))
        except UserError as error:
            problems.append(Problem(kind="unreadable", folder=name, message=f"no result of this version; {error.why}"))
        except OSError as error:
            problems.append(Problem(kind="unreadable", folder=name, message=str(error.strerror).lower()))
    return sorted(runs, key=lambda run: run[1].started), problems


def _latest(runs: list[Run]) -> tuple[list[Run], list[Problem]]:
    """One run per configuration, and those that it takes the place of; `runs` are in order of time."""
    by_hash: dict[str, list[Run]] = {}
    for run in runs:
        by_hash.setdefault(run[1].config_hash, []).append(run)
    kept: list[Run] = []
    superseded: list[Problem] = []
    for same in by_hash.values():
        chosen = next((run for run in reversed(same) if run[1].status != "failed"), same[-1])
        kept.append(chosen)
        superseded += [
            Problem(kind="duplicate", folder=name, message=f"left out for {chosen[0]}, a run of the same configuration")
            for name, _ in same
            if name != chosen[0]
        ]
    return kept, superseded


def _shown(groups: Sequence[Group], metrics: Sequence[str] | None) -> list[str]:
    if not metrics:
        return primary_metrics(groups)
    known = {group.metric for group in groups}
    for metric in metrics:
        if metric not in known:
            raise unknown_name("metric among the measurements", metric, known)
    return list(metrics)


def _problem_line(problem: Problem) -> Text:
    style = {"failed": "red", "unreadable": "red", "partial": "yellow", "unfinished": "yellow"}.get(problem.kind, "dim")
    return Text(f"{problem.kind}: {problem.folder}: {problem.message}", style=style)
