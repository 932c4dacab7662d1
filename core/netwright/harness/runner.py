"""Executing one variant: verified, timed, and its metrics written where later readers look for them."""

from pathlib import Path
from typing import Literal

from pydantic import computed_field

from netwright.cases import CaseOptions
from netwright.context import current_run
from netwright.errors import UserError
from netwright.files import slug, write_json
from netwright.harness.cases import CaseForward
from netwright.harness.closure import Closure, examine_closure, time_closure, trace_closure
from netwright.harness.comparison import DEFAULT_VERIFICATION, Report, compare_variants
from netwright.harness.examination import CheckResult, VerificationConfig
from netwright.harness.timing import DEFAULT_TIMING, Timing, TimingConfig
from netwright.harness.variant import Variant
from netwright.result import Record

TRACE = Path("profiler") / "trace.json"

Trust = Literal["trusted", "untrusted"]


class VariantMetrics(Record):
    """What `artifacts/<label>/metrics.json` holds."""

    label: str
    case: str | None
    trust: Trust
    """"untrusted" for a closure that ran in the caller's own process: its numbers make no headline."""
    compiled: bool
    """Whether it was loaded and could be called."""
    correct: bool | None
    """Whether it computes what its case computes; None when there was nothing to hold it against."""
    checks: tuple[CheckResult, ...] = ()
    timing: Timing
    trace: str | None = None
    """The Chrome trace, relative to the folder of these metrics."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def latency_ms(self) -> float | None:
        """Median latency of a call."""
        return self.timing.median_ms

    @computed_field  # type: ignore[prop-decorator]
    @property
    def throughput(self) -> float | None:
        """Samples per second."""
        return self.timing.throughput

    @computed_field  # type: ignore[prop-decorator]
    @property
    def peak_memory_bytes(self) -> int | None:
        """Weights and inputs plus the most that one call allocates on top of them."""
        return self.timing.peak_memory_bytes


def execute_variant(
    label: str,
    forward_impl: CaseForward | Variant | Closure,
    *,
    use_profiler: bool = False,
    case: str | None = None,
    options: CaseOptions | None = None,
    verification: VerificationConfig = DEFAULT_VERIFICATION,
    timing: TimingConfig = DEFAULT_TIMING,
    seed: int = 0,
) -> VariantMetrics:
    """Run a variant, hold it against the float64 oracle, time it, and write `artifacts/<label>/metrics.json`.

    The folder is the current run's, or `./artifacts` when nothing runs.

    Args:
        label: Names the folder and the variant.
        forward_impl: What `make_case_forward` returned or a variant: run by reference in a process of its own. Or any
            function without arguments: run here, and marked untrusted.
        use_profiler: Whether to write a Chrome trace to `artifacts/<label>/profiler/`.
        case: The case that a variant or a function belongs to.
        options: How to build that case.
        seed: Draws weights and inputs.

    Raises:
        UserError: The case is wrong, or a variant comes without a case.
        NetwrightError: The unmodified module itself cannot be run.
    """
    folder = artifact_folder(label)
    trace = folder / TRACE if use_profiler else None
    if isinstance(forward_impl, CaseForward):
        case, options, seed = forward_impl.case, forward_impl.options, forward_impl.seed
        forward_impl = forward_impl.variant
    options = options or CaseOptions()
    if isinstance(forward_impl, Variant):
        if case is None:
            raise UserError(f"variant '{label}' comes without a case", remedy="pass case=NAME")
        variant = forward_impl.model_copy(update={"label": label})
        traces = {label: trace} if trace else {}
        comparison = compare_variants(
            case, options, [variant], verification=verification, timing=timing, traces=traces, seed=seed
        )
        metrics = metrics_of(comparison.reports[label], case)
    else:
        metrics = _execute_closure(label, forward_impl, case, options, timing, trace, seed)
    write_json(folder / "metrics.json", metrics.model_dump(mode="json"))
    return metrics


def artifact_folder(label: str) -> Path:
    """The folder of a variant's artifacts, in the current run's folder or in `./artifacts`."""
    run = current_run().folder
    return run.artifact(slug(label)) if run else Path("artifacts", slug(label)).resolve()


def metrics_of(report: Report, case: str) -> VariantMetrics:
    """What a comparison found out about a variant, as `metrics.json` has it."""
    outcomes = {check.name: check.outcome for check in report.checks}
    compiled = outcomes.get("loads") == outcomes.get("runs") == "passed"
    correct = None if outcomes.get("accuracy") == "skipped" and not report.failed else report.correct
    return VariantMetrics(
        label=report.variant.label,
        case=case,
        trust="trusted",
        compiled=compiled,
        correct=correct,
        checks=report.checks,
        timing=report.timing,
        trace=TRACE.as_posix() if report.trace else None,
    )


def _execute_closure(
    label: str,
    closure: Closure,
    case: str | None,
    options: CaseOptions,
    config: TimingConfig,
    trace: Path | None,
    seed: int,
) -> VariantMetrics:
    examination = None
    if case is not None:
        examination = examine_closure(label, closure, case, options, config, seed=seed)
    timing = time_closure(label, closure, config, options.device, seed=seed)
    if trace is not None:
        trace_closure(closure, trace)
    return VariantMetrics(
        label=label,
        case=case,
        trust="untrusted",
        compiled=True,
        correct=examination.correct if examination else None,
        checks=examination.checks if examination else (),
        timing=timing,
        trace=TRACE.as_posix() if trace else None,
    )
