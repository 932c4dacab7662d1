"""Running one job: configuration in, an agent's work, a run folder out."""

import errno
import random
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from netwright.agent import BaseAgent, Job
from netwright.archive import close_run
from netwright.cases import CaseOptions
from netwright.config import Config, parse_config
from netwright.context import RunContext, current_run, use_run
from netwright.environment import describe_environment
from netwright.errors import NetwrightError, UserError, unknown_name
from netwright.files import cannot_write, content_key, utc_now, write_json, write_text
from netwright.llm.config import LlmConfig
from netwright.loading import load_attribute
from netwright.registry import Registry, registry
from netwright.report import write_report
from netwright.result import AgentResult, Block, ErrorRecord, Measurement, Result, TableBlock
from netwright.runfolder import RunFolder
from netwright.sandbox import SandboxConfig, check_workspace, choose_level, use_sandbox
from netwright.specs import AgentSpec, BaselineSpec
from netwright.workflow.settings import WorkflowSettings

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class SweepConfig(Config):
    """A sweep that can be resumed."""

    name: str | None = None
    """The sweep's folder is multirun/<name>; null gives it a new folder named by the time."""
    resume: bool = False
    """Skip jobs whose configuration has a complete result in the sweep's folder."""

    @model_validator(mode="after")
    def _resume_by_name(self) -> Self:
        if self.resume and self.name is None:
            raise ValueError("only a sweep with a name can be resumed: add sweep.name=NAME")
        return self


class JobConfig(Config):
    """The root configuration of a job, as conf/config.yaml lays it out."""

    agent: dict[str, Any]
    """The agent's `name`, and its own settings beside it."""
    case: str | None = None
    case_options: CaseOptions = CaseOptions()
    baseline: str | list[str] | None = None
    baseline_options: dict[str, dict[str, Any]] | None = None
    seed: int = Field(default=0, ge=0, lt=2**32)
    workspace: Path | None = None
    sweep: SweepConfig = SweepConfig()
    sandbox: SandboxConfig = SandboxConfig()
    workflow: WorkflowSettings = WorkflowSettings()
    llm: LlmConfig = LlmConfig()

    @property
    def agent_name(self) -> str:
        """The agent's registered name."""
        return str(self.agent.get("name", ""))

    @property
    def baselines(self) -> tuple[str, ...]:
        """The baselines as a tuple: one name is a list of one."""
        if self.baseline is None:
            return ()
        return (self.baseline,) if isinstance(self.baseline, str) else tuple(self.baseline)

    @property
    def hash(self) -> str:
        """SHA-256 of all that determines a complete result: not the sweep, the sandbox, or how far a workflow goes."""
        return content_key(self.model_dump(mode="json", exclude={"sandbox", "sweep", "workflow"}))


@dataclass(frozen=True)
class EarlierParts:
    """What a resumed job has behind it: when it first began, and how many seconds it has worked."""

    started: datetime
    seconds: float


def run_job(settings: Mapping[str, Any], folder: RunFolder, *, context: RunContext | None = None) -> Result:
    """Run one job and leave `folder` complete: result.json, environment.json, logs and report.html.

    Args:
        settings: The composed configuration, resolved (see `JobConfig`).
        context: Surroundings to use (a quiet console, say); its folder and seed are replaced by the job's.

    Returns:
        What `result.json` holds.

    Raises:
        UserError: The configuration or the case is wrong.
        NetwrightError: The work failed. Either way, result.json holds the error.
    """
    with folder.lock():
        return run_locked(settings, folder, context=context)


def run_locked(
    settings: Mapping[str, Any],
    folder: RunFolder,
    *,
    context: RunContext | None = None,
    earlier: EarlierParts | None = None,
) -> Result:
    """`run_job` in a folder that this process has locked, from the beginning or, with `earlier`, going on."""
    started = earlier.started if earlier else utc_now()
    clock = time.perf_counter() - (earlier.seconds if earlier else 0.0)
    config: JobConfig | None = None
    try:
        config = parse_config(JobConfig, settings)
        context = context or RunContext()
        context.folder, context.seed = folder, config.seed
        context.workspace = check_workspace(config.workspace) if config.workspace else Path.cwd().resolve()
        context.workflow, context.llm = config.workflow, config.llm
        with use_run(context), use_sandbox(config.sandbox):
            if config.sandbox.require is not None:
                choose_level()
            answer = _work(config, folder, resumed=earlier is not None)
            result = _complete(answer, config, folder, started, time.perf_counter() - clock)
    except BaseException as error:
        cause = cannot_write(folder.path, error) if isinstance(error, OSError) and error.errno in DISK_FULL else error
        _leave_failure(cause, config, settings, folder, started, time.perf_counter() - clock)
        raise cause from None
    folder.write_result(result)
    if answer.archive:
        return close_run(result, folder, answer.archive_name)
    write_report(folder.path)
    return result


def plan_job(config: JobConfig, components: Registry) -> tuple[AgentSpec, Config, Job]:
    """Check everything about a job that can be checked before it runs, without importing the agent.

    Raises:
        UserError: An agent, baseline or setting is unknown, of the wrong type or missing.
    """
    spec = components.agent(config.agent_name)
    values = {key: value for key, value in config.agent.items() if key != "name"}
    agent_config = parse_config(_config_class(spec.config), values, path="agent")
    baselines = config.baselines or spec.default_baselines
    for name in baselines:
        _check_baseline(name, spec, components)
    options = config.baseline_options or {}
    for name in options:
        if name not in baselines:
            raise unknown_name("baseline in this job", name, baselines)
        _check_baseline_options(name, options[name], components)
    case = config.case or spec.default_case
    if case is None and spec.needs_case:
        raise UserError(f"agent '{spec.name}' needs a case", remedy="name one: case=NAME (netwright cases lists them)")
    return spec, agent_config, Job(case, config.case_options, baselines, options, config.seed)


def _work(config: JobConfig, folder: RunFolder, *, resumed: bool) -> AgentResult:
    components = registry()
    spec, agent_config, job = plan_job(config, components)
    config.llm.check()
    for plugin in components.plugins:
        for error in plugin.errors:
            current_run().warn(f"plugin '{plugin.name}': {error}")
    if resumed:
        folder.event("job_resumed", agent=spec.name, config_hash=config.hash)
    else:
        recorded = {"config": config.model_dump(mode="json"), "cwd": str(Path.cwd())}
        folder.event("job_started", agent=spec.name, case=job.case, config_hash=config.hash, **recorded)
    with current_run().step(f"load {spec.name}"):
        agent_class = components.load("agent", spec.name)
    assert isinstance(agent_class, type)
    assert issubclass(agent_class, BaseAgent)
    _seed_everything(config.seed)
    plugins = {plugin.name: plugin.version for plugin in components.plugins if plugin.module}
    if not (resumed and folder.environment_file.exists()):
        write_json(folder.environment_file, describe_environment(plugins=plugins).model_dump(mode="json"))
    agent = agent_class(agent_config)
    current_run().role = agent.get_agent_role()
    answer = agent.execute(job)
    if not isinstance(answer, AgentResult):
        raise NetwrightError(
            f"agent '{spec.name}' returned {type(answer).__name__}", why="an agent returns an AgentResult"
        )
    return answer.model_copy(update={"measurements": [_located(row, job) for row in answer.measurements]})


def _config_class(target: str) -> type[Config]:
    loaded = load_attribute(target)
    assert isinstance(loaded, type)
    assert issubclass(loaded, Config)
    return loaded


def _check_baseline(name: str, agent: AgentSpec, components: Registry) -> None:
    spec = components.spec("baseline", name)
    assert isinstance(spec, BaselineSpec)
    if spec.group not in agent.baseline_groups:
        takes = " or ".join(agent.baseline_groups) or "no"
        raise UserError(
            f"agent '{agent.name}' cannot use baseline '{name}'",
            why=f"it takes {takes} baselines and '{name}' is of group {spec.group}",
            remedy="netwright baselines shows the groups",
        )


def _check_baseline_options(name: str, options: Mapping[str, Any], components: Registry) -> None:
    spec = components.spec("baseline", name)
    assert isinstance(spec, BaselineSpec)
    path = f"baseline_options.{name}"
    if spec.config:
        parse_config(_config_class(spec.config), options, path=path)
    elif options:
        raise UserError(f"'{path}' has settings", why=f"baseline '{name}' takes none")


def _located(row: Measurement, job: Job) -> Measurement:
    return row.model_copy(
        update={"case": row.case or job.case, "seed": job.seed if row.seed is None else row.seed},
    )


def _seed_everything(seed: int) -> None:
    """Seed the global generators: netwright's own code passes seeds explicitly, strangers' code may not."""
    random.seed(seed)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(seed)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)


def _complete(answer: AgentResult, config: JobConfig, folder: RunFolder, started: datetime, seconds: float) -> Result:
    folder.event("job_ended", status="partial" if answer.errors else "ok", seconds=round(seconds, 3))
    return Result(
        status="partial" if answer.errors else "ok",
        agent=config.agent_name,
        case=next((row.case for row in answer.measurements), config.case),
        config=config.model_dump(mode="json"),
        config_hash=config.hash,
        seed=config.seed,
        started=started,
        duration_s=round(seconds, 3),
        measurements=answer.measurements,
        metrics=answer.metrics.model_dump(mode="json"),
        provenance=answer.provenance,
        modules=answer.modules,
        artifacts={name: folder.relative(path) for name, path in answer.artifacts.items()},
        errors=answer.errors,
        blocks=[*answer.blocks, *_decisions(answer, config, folder)],
    )


def _decisions(answer: AgentResult, config: JobConfig, folder: RunFolder) -> list[Block]:
    """What the language model did, where one was asked; never instead of an agent's measurements."""
    if not folder.llm.is_dir():
        return []
    from netwright.decisions.summary import decisions_block

    tables = any(isinstance(block, TableBlock) for block in answer.blocks)
    block = decisions_block(folder, replayed=config.llm.folder, compact=tables or not answer.measurements)
    return [block] if block else []


def _leave_failure(
    error: BaseException,
    config: JobConfig | None,
    settings: Mapping[str, Any],
    folder: RunFolder,
    started: datetime,
    seconds: float,
) -> None:
    """Record why the job ended early; a folder that cannot be written any more does not hide the error itself."""
    values = config.model_dump(mode="json") if config else dict(settings)
    message = str(error) if isinstance(error, NetwrightError) else f"{type(error).__name__}: {error}"
    result = Result(
        status="failed",
        agent=str(dict(values.get("agent") or {}).get("name")),
        case=values.get("case"),
        config=values,
        config_hash=config.hash if config else content_key(values),
        seed=config.seed if config else 0,
        started=started,
        duration_s=round(seconds, 3),
        errors=[ErrorRecord(where="job", message=message, exit_code=getattr(error, "exit_code", 1))],
    )
    try:
        folder.event("job_ended", status="failed", error=message, seconds=round(seconds, 3))
        if not isinstance(error, NetwrightError):
            write_text(folder.path / "traceback.txt", traceback.format_exc())
        folder.write_result(result)
        write_report(folder.path)
    except UserError:
        return
