"""What Hydra runs: one job or the jobs of a sweep, which of them can be skipped, and how it all ends."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from netwright.collect import collect
from netwright.compose import CONFIG_NAME, VERSION_BASE, explain, plain, prepare_hydra, register_resolvers, root_conf
from netwright.config import parse_config
from netwright.console import console, error_console, set_quiet
from netwright.context import RunContext
from netwright.errors import NetwrightError, UserError
from netwright.files import cannot_write
from netwright.render import render_result
from netwright.result import Result
from netwright.run import JobConfig, run_job
from netwright.runfolder import RunFolder, read_result

QUIET_VARIABLE = "NETWRIGHT_QUIET"

register_resolvers()  # a launcher's worker processes import this module and nothing else of netwright


def run_with_hydra(overrides: list[str]) -> int:
    """Hand `sys.argv` to Hydra, which calls `hydra_task` for each job.

    Args:
        overrides: Those of `sys.argv`, for messages.

    Returns:
        The exit code: 0, or the worst among the jobs of a sweep.

    Raises:
        UserError: The overrides do not compose, or the output folder cannot be written.
        NetwrightError: The job failed.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises instead of printing and exiting
    set_quiet(os.environ.get(QUIET_VARIABLE) == "1")
    prepare_hydra()
    SweepEnd.exit_code = 0
    try:
        hydra.main(config_path=str(root_conf()), config_name=CONFIG_NAME, version_base=VERSION_BASE)(hydra_task)()
    except (CompactHydraException, OmegaConfBaseException) as error:
        raise explain(error, overrides) from error
    except OSError as error:
        if error.filename is None:
            raise
        raise cannot_write(Path(error.filename), error) from error
    return SweepEnd.exit_code


def hydra_task(settings: DictConfig) -> None:
    """Run the job that Hydra composed, in the folder that Hydra made for it.

    A job of a sweep does not raise for its own failure, so that the others go on: its result.json holds the error.
    """
    set_quiet(os.environ.get(QUIET_VARIABLE) == "1")
    facts = HydraConfig.get()
    folder = RunFolder(Path(facts.runtime.output_dir))
    values = plain(settings)
    if facts.mode != RunMode.MULTIRUN:
        _run_and_show(values, folder)
        return
    title = f"[{facts.job.num}] {facts.job.override_dirname}"
    finished = finished_job(folder.path.parent, values)
    if finished is not None:
        console.print(f"{title}: skipped, complete in {finished.name}", markup=False, highlight=False)
        return
    console.rule(title, align="left", style="dim")
    try:
        _run_and_show(values, folder)
    except NetwrightError as error:
        error_console.print(f"{title}: {error}", markup=False)
    except Exception as error:
        where = folder.path / "traceback.txt"
        error_console.print(f"{title}: {type(error).__name__}: {error} (see {where})", markup=False)


def finished_job(sweep: Path, values: dict[str, Any]) -> Path | None:
    """The folder below a named sweep that holds a complete result of the same configuration, or None.

    Raises:
        UserError: There is one, but the sweep is not being resumed.
    """
    try:
        config = parse_config(JobConfig, values)
    except UserError:
        return None  # the run itself says what is wrong
    if config.sweep.name is None:
        return None
    for folder, result in _results_below(sweep):
        if result.config_hash == config.hash and result.status == "ok":
            if not config.sweep.resume:
                raise UserError(
                    f"sweep '{config.sweep.name}' holds this job's result already",
                    remedy="add sweep.resume=true to skip complete jobs, or choose another sweep.name",
                )
            return folder
    return None


class SweepEnd(Callback):
    """Hydra's callback: when a sweep is over, prints its table and keeps its exit code."""

    exit_code = 0

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Collect the sweep's folder."""
        sweep = Path(config.hydra.sweep.dir)
        codes = [error.exit_code for _, result in _results_below(sweep) for error in result.errors]
        type(self).exit_code = max(codes, default=0)
        console.rule("sweep", align="left", style="dim")
        console.print(collect(sweep))
        console.print(f"again, with CSV, JSON and HTML: netwright collect {sweep}", markup=False, highlight=False)


def _results_below(folder: Path) -> Iterator[tuple[Path, Result]]:
    for path in sorted(folder.rglob("result.json")):
        try:
            yield path.parent, read_result(path.parent)
        except UserError:
            continue  # half a sweep from another version: `netwright collect` names it


def _run_and_show(values: dict[str, Any], folder: RunFolder) -> None:
    result = run_job(values, folder, context=RunContext(console=console))
    console.print(render_result(result))
    report = folder.report_file
    shown = report.relative_to(Path.cwd()) if report.is_relative_to(Path.cwd()) else report
    console.print(f"report: {shown}", markup=False, highlight=False, soft_wrap=True)
