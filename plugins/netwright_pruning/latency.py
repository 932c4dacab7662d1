"""Latency of the unpruned and all pruned models, side by side in the harness."""

from collections.abc import Sequence

from netwright.context import current_run
from netwright.harness import Timing, TimingConfig, Variant, measure, speedup
from netwright_pruning.metrics import Figures, MethodReport
from netwright_pruning.subject import Subject
from netwright_pruning.trial import Trial

UNPRUNED = "unpruned"
TARGET = "netwright_pruning.variant:load"


def measure_latency(subject: Subject, trials: Sequence[Trial], config: TimingConfig, *, seed: int) -> dict[str, Timing]:
    """Time the unpruned model and every trial's, interleaved, each in a process of its own.

    Returns:
        By label, "unpruned" for the first.
    """
    variants = [Variant(label=UNPRUNED)]
    for trial in trials:
        options = {"folder": str(trial.model_folder)}
        variants.append(Variant(label=trial.report.label, target=TARGET, options=options))
    with current_run().step("measure latency"):
        return measure(subject.case.name, subject.case.options, variants, config, seed=seed)


def untimed(trials: Sequence[Trial], reason: str) -> dict[str, Timing]:
    """What `measure_latency` returns, where it could not measure."""
    labels = [UNPRUNED, *(trial.report.label for trial in trials)]
    return {label: Timing(label=label, not_measured=reason) for label in labels}


def timed_figures(figures: Figures, timing: Timing) -> Figures:
    """The figures with latency, or with the reason why there is none."""
    if timing.median_ms is None:
        missing = {**figures.not_measured, "latency_ms": timing.not_measured or "the harness gave no times"}
        return figures.model_copy(update={"not_measured": missing})
    return figures.model_copy(update={"latency_ms": timing.median_ms, "latency_ci_ms": timing.ci_ms})


def timed_report(report: MethodReport, timings: dict[str, Timing]) -> MethodReport:
    """The report with latency and speed-up."""
    timing = timings[report.label]
    ratio = speedup(timings[UNPRUNED], timing)
    gained = {"speedup": ratio.value, "speedup_ci": (ratio.low, ratio.high)} if ratio else {}
    return report.model_copy(update={"after": timed_figures(report.after, timing), **gained})
