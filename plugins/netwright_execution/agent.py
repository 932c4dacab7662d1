"""The benchmark: ways of executing a case, verified and timed side by side."""

from collections.abc import Callable, Mapping
from typing import cast

from netwright.agent import BaseAgent, Job
from netwright.context import current_run
from netwright.errors import MissingDependencyError, UserError
from netwright.files import write_json
from netwright.harness.baselines import baseline_variant
from netwright.harness.comparison import Comparison, Report, compare_variants
from netwright.harness.runner import TRACE, artifact_folder, metrics_of
from netwright.harness.timing import Timing
from netwright.harness.variant import Variant
from netwright.registry import registry
from netwright.result import AgentResult, ErrorRecord, Measurement
from netwright.specs import MetricSpec
from netwright_execution.config import BenchmarkConfig
from netwright_execution.report import benchmark_metrics, blocks

TimingMetric = Callable[[Timing], float | None]


class BenchmarkAgent(BaseAgent[Job, AgentResult]):
    """Verifies and times execution baselines of a case."""

    config_class = BenchmarkConfig
    config: BenchmarkConfig

    def get_agent_role(self) -> str:
        """What it is for."""
        return (
            "Measure how fast a model runs under several ways of executing it, and check that each computes the same."
        )

    def execute(self, input_data: Job) -> AgentResult:
        """Measure the job's baselines on its case.

        Raises:
            UserError: The case, a baseline or a metric is wrong.
            NetwrightError: The unmodified module itself cannot be run.
        """
        job = input_data
        specs = {name: _measurable(name) for name in self.config.metrics}
        variants, missing = _variants(job)
        folders = {variant.label: artifact_folder(variant.label) for variant in variants}
        comparison = compare_variants(
            cast("str", job.case),
            job.case_options,
            variants,
            verification=self.config.verification,
            timing=self.config.timing,
            metrics={name: spec.target for name, spec in specs.items() if spec.of == "model"},
            traces={label: folder / TRACE for label, folder in folders.items()} if self.config.profile else {},
            seed=job.seed,
        )
        for label, report in comparison.reports.items():
            write_json(folders[label] / "metrics.json", metrics_of(report, comparison.case).model_dump(mode="json"))
        rows = [row for report in comparison.reports.values() for row in _measure(report, specs)]
        rows += [_unmeasured(name, spec, reason) for name, reason in missing.items() for spec in specs.values()]
        metrics = benchmark_metrics(comparison)
        return AgentResult(
            metrics=metrics,
            measurements=rows,
            blocks=blocks(comparison, metrics, rows, specs),
            artifacts=folders if current_run().folder else {},
            provenance=_provenance(comparison),
            errors=_errors(comparison, missing),
        )


def _measurable(name: str) -> MetricSpec:
    """The spec of a metric that needs nothing but a model and its timing.

    Raises:
        UserError: There is no such metric, or it needs predictions.
    """
    spec = registry().metric(name)
    if spec.of == "predictions":
        raise UserError(
            f"agent 'benchmark' cannot measure '{name}'",
            why="it needs predictions on a dataset",
            remedy="take it out of agent.metrics",
        )
    return spec


def _variants(job: Job) -> tuple[list[Variant], dict[str, str]]:
    """The job's baselines as variants, and those whose packages are missing with the reason."""
    variants, missing = [], {}
    for name in job.baselines:
        try:
            variants.append(baseline_variant(name, job.baseline_options.get(name)))
        except MissingDependencyError as error:
            missing[name] = str(error)
    return variants, missing


def _measure(report: Report, specs: Mapping[str, MetricSpec]) -> list[Measurement]:
    rows = []
    for name, spec in specs.items():
        if spec.of == "model":
            number = report.numbers[name]
            rows.append(_row(report.variant.label, spec, number.value, number.not_measured))
            continue
        if report.timing.median_ms is None:
            rows.append(_unmeasured(report.variant.label, spec, report.timing.not_measured or ""))
            continue
        metric = cast("TimingMetric", registry().load("metric", name))
        value = metric(report.timing)
        reason = None if value is not None else report.timing.memory_not_measured or "the metric has no value"
        rows.append(_row(report.variant.label, spec, value, reason, _interval(metric, report.timing)))
    return rows


def _interval(metric: TimingMetric, timing: Timing) -> tuple[float, float] | None:
    """The metric at both ends of the latency's confidence interval; None when it does not depend on latency."""
    if timing.ci_ms is None:
        return None
    ends = [metric(timing.model_copy(update={"median_ms": end})) for end in timing.ci_ms]
    if ends[0] is None or ends[1] is None or ends[0] == ends[1]:
        return None
    return min(ends[0], ends[1]), max(ends[0], ends[1])


def _row(
    label: str, spec: MetricSpec, value: float | None, reason: str | None, ci: tuple[float, float] | None = None
) -> Measurement:
    return Measurement(label=label, metric=spec.name, value=value, unit=spec.unit, ci=ci, not_measured=reason)


def _unmeasured(label: str, spec: MetricSpec, reason: str) -> Measurement:
    return _row(label, spec, None, reason)


def _provenance(comparison: Comparison) -> dict[str, object]:
    """Under what conditions the first was timed; all others were timed under the same."""
    timings = [report.timing for report in comparison.reports.values() if report.timing.times_ms]
    if not timings:
        return {}
    first = timings[0]
    conditions = {
        "device": first.device,
        "cache": first.cache,
        "threads": first.threads,
        "batch_size": first.batch_size,
    }
    return {**conditions, **first.precision}


def _errors(comparison: Comparison, missing: Mapping[str, str]) -> list[ErrorRecord]:
    found = [ErrorRecord(where=label, message=reason) for label, reason in missing.items()]
    for label, report in comparison.reports.items():
        if report.failed:
            first = report.failed[0]
            found.append(ErrorRecord(where=label, message=f"check '{first.name}': {first.reason}"))
    return found
