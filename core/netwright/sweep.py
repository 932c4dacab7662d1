"""What Hydra runs: one job or the jobs of a sweep, which of them can be skipped, and how it all ends."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import CompactHydraException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from netwright.collect import collect
from netwright.compose import (
    CONFIG_NAME,
    VERSION_BASE,
    compose,
    explain,
    plain,
    prepare_hydra,
    register_resolvers,
    root_conf,
    sweep_folder,
)
from netwright.config import parse_config
from netwright.console import console, error_console, set_quiet
from netwright.context import RunContext
from netwright.errors import NetwrightError, UserError
from netwright.files import cannot_write
from netwright.render import render_result
from netwright.result import Result
from netwright.run import JobConfig, SweepConfig, run_job
from netwright.runfolder import RunFolder, read_result

QUIET_VARIABLE = "NETWRIGHT_QUIET"
HANDED_OVER = ("model", "module", "bundle")
"""The artifacts that a user ran the agent for; the report lists all."""

register_resolvers()  # a launcher's worker processes import this module and nothing else of netwright


@dataclass(frozen=True)
class Request:
    """What `netwright run` was asked for, beside the arguments that only Hydra reads.

    Attributes:
        overrides: The KEY=VALUE arguments.
        multirun: Whether it is a sweep.
        config_dir: The user's own folder of configs.
    """

    overrides: list[str]
    multirun: bool = False
    config_dir: Path | None = None


def run_with_hydra(request: Request) -> int:
    """Hand `sys.argv` to Hydra, which calls `hydra_task` for each job.

    Returns:
        The exit code: 0, or the worst among the jobs of a sweep.

    Raises:
        UserError: The overrides do not compose, the output folder cannot be written, or a sweep of that name exists.
        NetwrightError: The job failed.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises instead of printing and exiting
    set_quiet(os.environ.get(QUIET_VARIABLE) == "1")
    prepare_hydra()
    _outcome.clear()
    try:
        if request.multirun:
            _refuse_taken_name(request)
        hydra.main(config_path=str(root_conf()), config_name=CONFIG_NAME, version_base=VERSION_BASE)(hydra_task)()
    except (CompactHydraException, OmegaConfBaseException) as error:
        raise explain(error, request.overrides) from error
    except OSError as error:
        raise cannot_write(Path(error.filename or Path.cwd()), error) from error
    if _outcome.error is not None:
        raise _outcome.error
    return _outcome.exit_code


def hydra_task(settings: DictConfig) -> None:
    """Run the job that Hydra composed, in the folder that Hydra made for it.

    It never raises for the job's own failure: the other jobs of a sweep go on, and Hydra prints nothing of its own.
    """
    set_quiet(os.environ.get(QUIET_VARIABLE) == "1")
    facts = HydraConfig.get()
    values = plain(settings)
    try:
        folder = RunFolder(Path(facts.runtime.output_dir))
        if facts.mode == RunMode.MULTIRUN:
            _run_in_sweep(f"[{facts.job.num}] {facts.job.override_dirname}", values, folder)
        else:
            _run_and_show(values, folder)
    except Exception as error:
        _outcome.error = error


def finished_job(sweep: Path, values: dict[str, Any]) -> Path | None:
    """The folder below a named sweep that holds a complete result of the same configuration, or None."""
    try:
        config = parse_config(JobConfig, values)
    except UserError:
        return None  # the run itself says what is wrong
    if config.sweep.name is None:
        return None
    same = (
        folder for folder, result in _results_below(sweep) if (result.config_hash, result.status) == (config.hash, "ok")
    )
    return next(same, None)


@dataclass
class _Outcome:
    """What is left to say when Hydra is done, in the process that called it."""

    exit_code: int = 0
    error: Exception | None = None

    def clear(self) -> None:
        self.exit_code, self.error = 0, None


_outcome = _Outcome()


def _run_in_sweep(title: str, values: dict[str, Any], folder: RunFolder) -> None:
    finished = finished_job(folder.path.parent, values)
    if finished is not None:
        console.print(f"{title}: skipped, complete in {finished.name}", markup=False, highlight=False)
        if finished != folder.path:
            shutil.rmtree(folder.path)  # Hydra made it anew, for a job that was once spelled differently
        return
    console.rule(title, align="left", style="dim")
    try:
        _run_and_show(values, folder)
    except NetwrightError as error:
        error_console.print(f"{title}: {error}", markup=False)
    except Exception as error:
        where = folder.path / "traceback.txt"
        error_console.print(f"{title}: {type(error).__name__}: {error} (see {where})", markup=False)


def _refuse_taken_name(request: Request) -> None:
    """Refuse to sweep into a folder that holds results, unless it is to be resumed."""
    parsed = OverridesParser.create().parse_overrides(request.overrides)
    fixed = [override.input_line for override in parsed if override.input_line and not override.is_sweep_override()]
    sweep = parse_config(SweepConfig, compose(fixed, config_dir=request.config_dir)["sweep"], path="sweep")
    if sweep.name is None or sweep.resume:
        return
    if any(_results_below(sweep_folder(sweep.name))):
        raise UserError(
            f"sweep '{sweep.name}' has results already",
            remedy="add sweep.resume=true to skip complete jobs, or choose another sweep.name",
        )


class SweepEnd(Callback):
    """Hydra's callback: when a sweep is over, prints its table and keeps its exit code."""

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Collect the sweep's folder."""
        sweep = Path(config.hydra.sweep.dir)
        _outcome.exit_code = worst_exit_code(sweep)
        console.rule("sweep", align="left", style="dim")
        console.print(collect(sweep))
        console.print(f"again, with CSV, JSON and HTML: netwright collect {sweep}", markup=False, highlight=False)


def worst_exit_code(sweep: Path) -> int:
    """The highest exit code of the jobs below a folder: of those that failed, for what is partial is done."""
    failed = (result for _, result in _results_below(sweep) if result.status == "failed")
    return max((error.exit_code for result in failed for error in result.errors), default=0)


def _results_below(folder: Path) -> Iterator[tuple[Path, Result]]:
    for path in sorted(folder.rglob("result.json")):
        try:
            yield path.parent, read_result(path.parent)
        except UserError:
            continue  # half a sweep from another version: `netwright collect` names it


def _run_and_show(values: dict[str, Any], folder: RunFolder) -> None:
    show_result(run_job(values, folder, context=RunContext(console=console)), folder)


def show_result(result: Result, folder: RunFolder) -> None:
    """Print a job's result, and where its report and what was made for the user lie."""
    console.print(render_result(result))
    made = {name: folder.path / result.artifacts[name] for name in HANDED_OVER if name in result.artifacts}
    for name, path in {**made, "report": folder.report_file}.items():
        place = Path(os.path.normpath(path))
        shown = place.relative_to(Path.cwd()) if place.is_relative_to(Path.cwd()) else place
        console.print(f"{name}: {shown}", markup=False, highlight=False, soft_wrap=True)
