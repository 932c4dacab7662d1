"""The harness as tools: profile a case, judge a variant; arguments and results are plain JSON."""

from pathlib import Path
from typing import Literal

from netwright.cases import CaseOptions
from netwright.harness import protocol
from netwright.harness.arms import Arm
from netwright.harness.baselines import baseline_variant, named_variant
from netwright.harness.comparison import DEFAULT_VERIFICATION, Claim, Comparison, compare_variants
from netwright.harness.examination import CheckResult, VerificationConfig
from netwright.harness.protocol import Draw
from netwright.harness.runner import TRACE, artifact_folder
from netwright.harness.timing import DEFAULT_TIMING, TimingConfig
from netwright.harness.variant import Claims
from netwright.machine import usable_cores
from netwright.result import Record

COMPILATION = ("loads", "runs")
PERFORMANCE = ("timed output", "timer", "claims", "floor")

Verdict = Literal["accepted", "rejected", "unverified"]


class ProfiledOp(Record):
    """One operator or kernel."""

    name: str
    device: str
    calls: int
    """Over all profiled calls of the case."""
    self_ms: float
    """Time in itself, without what it calls, over all profiled calls."""
    share: float
    """Of the time of all operators, between 0 and 1."""


class ProfileReport(Record):
    """Where a case's time goes."""

    case: str
    variant: str
    device: str
    calls: int
    ops: list[ProfiledOp]
    """The most expensive first."""
    flops: int
    """Floating-point operations per call, of the operators that the profiler has formulas for."""
    allocated_bytes: int | None
    """The most memory that one call held beyond what was there before it."""
    trace: Path
    """A Chrome trace (chrome://tracing or ui.perfetto.dev)."""


class VerificationReport(Record):
    """What the judge says of a variant."""

    case: str
    variant: str
    verdict: Verdict
    compilation: bool
    """Whether it was loaded and could be called."""
    correctness: bool
    """Whether it computes what the case computes."""
    performance: bool
    """Whether it was timed and its time is believable."""
    checks: list[CheckResult]
    latency_ms: dict[str, float | None]
    """By label: the variant's and the baselines'."""
    not_measured: dict[str, str]
    """By label, why there is no latency."""
    speedup: Claim
    """Against the fastest of the baselines."""


def profiler_tool(
    case: str,
    variant: str | None = None,
    calls: int = 5,
    top: int = 20,
    case_options: CaseOptions = CaseOptions(),  # noqa: B008 - immutable
    seed: int = 0,
) -> ProfileReport:
    """Profile the forward of a case with torch.profiler, in a process of its own.

    Args:
        case: The case's name, e.g. "timm:resnet18".
        variant: "package.module:attribute", "path/to/file.py:attribute" or a baseline's name; the unmodified module by
            default.
        calls: How many calls to profile, after two that warm up.
        top: How many operators to report.
        case_options: How to build the case.
        seed: Draws weights and inputs.

    Raises:
        UserError: The case or the variant is wrong.
        NetwrightError: The variant cannot be loaded or called.
    """
    chosen = named_variant(variant)
    trace = artifact_folder(chosen.label) / TRACE
    limit = DEFAULT_TIMING.compile_timeout_s
    with Arm(case, case_options, chosen, threads=usable_cores(), seed=seed, start_timeout=limit) as arm:
        draw = Draw(seed=seed, weight_seed=seed)
        arm.ask(protocol.WarmUp(draw=draw, seconds=0.0), protocol.WarmedUp, timeout=limit)
        profiled = arm.profile(calls, trace, timeout=limit)
    total = sum(op.self_ms for op in profiled.ops) or 1.0
    return ProfileReport(
        case=case,
        variant=chosen.label,
        device=arm.ready().device,
        calls=calls,
        ops=[
            ProfiledOp(name=op.name, device=op.device, calls=op.calls, self_ms=op.self_ms, share=op.self_ms / total)
            for op in profiled.ops[:top]
        ],
        flops=profiled.flops,
        allocated_bytes=profiled.allocated_bytes,
        trace=trace,
    )


def verification_tool(
    case: str,
    variant: str,
    baselines: tuple[str, ...] = ("eager",),
    claims: Claims = Claims(),  # noqa: B008 - immutable
    case_options: CaseOptions = CaseOptions(),  # noqa: B008 - immutable
    verification: VerificationConfig = DEFAULT_VERIFICATION,
    timing: TimingConfig = DEFAULT_TIMING,
    seed: int = 0,
) -> VerificationReport:
    """Judge a variant of a case end to end: compilation, correctness, performance.

    Args:
        case: The case's name.
        variant: "package.module:attribute" or "path/to/file.py:attribute", which is a function `(module) -> callable`
            or a module class; or a baseline's name.
        claims: What it says of itself: kernels that its profile must show, the precision that it computes in.
        baselines: Baselines to time beside it; the fastest correct one is what a speed-up is claimed against.
        case_options: How to build the case.
        verification: How closely to look at what it computes.
        timing: How long and in what cache state to time.
        seed: Draws weights and inputs.

    Raises:
        UserError: The case or a name is wrong.
        NetwrightError: The unmodified module itself cannot be run.
    """
    judged = named_variant(variant).model_copy(update={"claims": claims})
    if judged.label in baselines:
        judged = judged.model_copy(update={"label": f"{judged.label} (variant)"})
    variants = [judged, *(baseline_variant(name) for name in baselines)]
    comparison = compare_variants(case, case_options, variants, verification=verification, timing=timing, seed=seed)
    return _report(comparison, judged.label, baselines)


def _report(comparison: Comparison, label: str, baselines: tuple[str, ...]) -> VerificationReport:
    report = comparison.reports[label]
    outcomes = {check.name: check.outcome for check in report.checks}
    failed = {check.name for check in report.failed}
    verdict: Verdict = "rejected" if failed else "accepted" if report.correct else "unverified"
    return VerificationReport(
        case=comparison.case,
        variant=report.variant.target or report.variant.label,
        verdict=verdict,
        compilation=all(outcomes.get(name) == "passed" for name in COMPILATION),
        correctness=outcomes.get("accuracy") == "passed" and not failed - {*COMPILATION, *PERFORMANCE},
        performance=report.timing.median_ms is not None and not failed & set(PERFORMANCE),
        checks=list(report.checks),
        latency_ms={name: each.timing.median_ms for name, each in comparison.reports.items()},
        not_measured={
            name: each.timing.not_measured
            for name, each in comparison.reports.items()
            if each.timing.not_measured is not None
        },
        speedup=comparison.claim(label, baselines),
    )
