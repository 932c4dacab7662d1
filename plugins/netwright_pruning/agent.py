"""The agent `pruner`: compares pruning baselines on a case, each at the same budget and with the same recovery."""

import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from netwright.agent import BaseAgent, Job
from netwright.context import current_run
from netwright.cost import count_cost
from netwright.errors import NetwrightError, UserError
from netwright.files import slug
from netwright.result import AgentResult, Block, ErrorRecord, TextBlock
from netwright_pruning.config import PrunerConfig
from netwright_pruning.decisions import record_decision
from netwright_pruning.export import export_saved, loading_snippet
from netwright_pruning.latency import UNPRUNED, measure_latency, timed_figures, timed_report, untimed
from netwright_pruning.metrics import Figures, MethodReport, PrunerMetrics
from netwright_pruning.report import blocks, measurements
from netwright_pruning.resumption import begin
from netwright_pruning.subject import Data, Subject, prepare_subject
from netwright_pruning.trial import Trial, figures
from netwright_pruning.tryout import run_trial


class PrunerAgent(BaseAgent[Job, AgentResult]):
    """Prunes a case's model with every baseline of the job, and compares what comes out."""

    config_class = PrunerConfig
    config: PrunerConfig

    def get_agent_role(self) -> str:
        """One sentence that says what this agent is for."""
        return "You prune neural networks to a budget and show what each method costs in accuracy and gains in speed."

    def execute(self, input_data: Job) -> AgentResult:
        """Train, prune with each baseline, recover, judge on the test split, and measure latency side by side.

        Raises:
            UserError: Case, data, recipe or budget are wrong.
            NetwrightError: Every baseline failed.
        """
        begin()
        with _artifacts() as folder:
            subject = prepare_subject(input_data, self.config, folder / "training")
            before = self._before(subject)
            trials, errors = self._compare(subject, input_data, folder)
            try:
                if self.config.measure_latency:
                    timings = measure_latency(subject, trials, self.config.timing, seed=input_data.seed)
                else:
                    timings = untimed(trials, "agent.measure_latency is false")
            except NetwrightError as error:
                timings = untimed(trials, str(error))
                errors.append(_error_record("latency", error))
            exports = [export_saved(trial.model_folder, subject.inputs, self.config.export) for trial in trials]
        reports = [
            timed_report(trial.report, timings).model_copy(update={"exports": exported})
            for trial, exported in zip(trials, exports, strict=True)
        ]
        best = _choose(reports, subject)
        metrics = PrunerMetrics(
            score=subject.data.score if subject.data else None,
            best=best.label,
            before=timed_figures(before, timings[UNPRUNED]),
            after=best.after,
            budget=best.budget,
            attempts=best.budget.attempts,
            methods=reports,
            training=list(subject.training),
        )
        return AgentResult(
            metrics=metrics,
            measurements=measurements(metrics),
            blocks=[*blocks(metrics), *_loading(best)],
            artifacts=_saved_models(trials, best.label),
            provenance=_provenance(subject),
            modules=[{"name": name, "before": old, "after": new} for name, (old, new) in best.widths.items()],
            errors=errors,
        )

    def _before(self, subject: Subject) -> Figures:
        cost = count_cost(subject.model, subject.inputs)
        if cost.uncounted:
            current_run().warn(f"MACs leave out {', '.join(sorted(cost.uncounted))}, for which there is no formula")
        return figures(cost.parameters, cost.macs, subject.score, subject)

    def _compare(self, subject: Subject, job: Job, folder: Path) -> tuple[list[Trial], list[ErrorRecord]]:
        """One trial per baseline; those that fail are left out and said.

        Raises:
            NetwrightError: All failed: what the first one said.
        """
        trials: list[Trial] = []
        failures: list[tuple[str, Exception]] = []
        with current_run().step("compare baselines", total=len(job.baselines)) as step:
            for name in job.baselines:
                try:
                    trials.append(run_trial(name, subject, job, self.config, folder / slug(name)))
                except Exception as error:  # a stranger's method may raise anything, and the others go on
                    failures.append((name, error))
                    current_run().log_event("baseline_failed", baseline=name, traceback=traceback.format_exc())
                    current_run().warn(f"baseline '{name}' failed: {_message(error)}")
                step.advance(1)
        if not trials:
            raise _all_failed(failures)
        _tell_untouched(trials)
        stopped = [error for trial in trials for error in trial.errors]
        return trials, [*stopped, *(_error_record(name, error) for name, error in failures)]


def _choose(reports: Sequence[MethodReport], subject: Subject) -> MethodReport:
    """The report that is best on the validation split, by score and then by loss; the first one without data."""
    data = subject.data
    if data is None:
        reason, best = "there is no data to judge by: the first one", reports[0]
    else:
        reason = f"best {data.score} on the validation split, and of equal ones the lowest loss"
        best = min(reports, key=lambda report: _validation_order(report, data))
    inputs = {report.label: report.validation and report.validation.model_dump() for report in reports}
    record_decision("which method's model to hand back", best.label, reasons=[reason], inputs=inputs)
    return best


def _validation_order(report: MethodReport, data: Data) -> tuple[float, float]:
    assert report.validation is not None
    score = report.validation.score
    return (-score if data.score == "accuracy" else score, report.validation.loss)


@contextmanager
def _artifacts() -> Iterator[Path]:
    """The run's folder of artifacts; outside a run, a temporary one."""
    folder = current_run().folder
    if folder is not None:
        yield folder.path / "artifacts"
        return
    with tempfile.TemporaryDirectory(prefix="netwright-") as temporary:
        yield Path(temporary)


def _loading(best: MethodReport) -> list[Block]:
    """How to load the best model again; nothing outside a run, whose models are gone."""
    if current_run().folder is None:
        return []
    programs = [record.file for record in best.exports if record.file is not None]
    snippet = loading_snippet(f"artifacts/{slug(best.label)}/model", programs)
    return [TextBlock(title="Load it again", text=snippet, code=True)]


def _saved_models(trials: Sequence[Trial], best: str) -> dict[str, Path]:
    if current_run().folder is None:
        return {}
    saved = {f"model_{trial.report.label}": trial.model_folder for trial in trials}
    return {"model": saved[f"model_{best}"], **saved}


def _provenance(subject: Subject) -> dict[str, object]:
    found: dict[str, object] = {"torch_pruning": version("torch-pruning"), "case_content": subject.case.content}
    if subject.data is not None:
        splits = subject.data.splits
        sizes = {"train": splits.train, "validation": splits.validation, "test": splits.test}
        found["dataset"] = {"name": splits.name, **{name: len(part) for name, part in sizes.items()}}  # type: ignore[arg-type]
    return found


def _tell_untouched(trials: Sequence[Trial]) -> None:
    """Say once, for all methods, which layers could not be pruned."""
    found = {untouched.group: untouched for trial in trials for untouched in trial.report.untouched}
    if found:
        names = [f"'{name}'" for name in found]
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        first = next(iter(found.values()))
        current_run().warn(f"left whole: {shown}, because the model fails otherwise ('{first.module}': {first.reason})")


def _all_failed(failures: Sequence[tuple[str, Exception]]) -> NetwrightError:
    name, first = failures[0]
    if len(failures) == 1 and isinstance(first, NetwrightError):
        return first
    kind = UserError if all(isinstance(error, UserError) for _, error in failures) else NetwrightError
    what = f"all {len(failures)} baselines failed" if len(failures) > 1 else f"baseline '{name}' failed"
    error = kind(what, why=f"'{name}': {_message(first)}")
    error.__cause__ = first
    return error


def _error_record(where: str, error: Exception) -> ErrorRecord:
    return ErrorRecord(where=where, message=_message(error), exit_code=getattr(error, "exit_code", 1))


def _message(error: Exception) -> str:
    return str(error) if isinstance(error, NetwrightError) else " ".join(f"{type(error).__name__}: {error}".split())
