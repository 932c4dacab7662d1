"""The verdict: from what the harness and the trial found to the rows of the result, and to the variant that wins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netwright.harness.comparison import Comparison, Report
from netwright.harness.timing import speedup
from netwright_fusion.metrics import VariantRecord
from netwright_fusion.portfolio import Candidate
from netwright_fusion.trial import TrialRow

EAGER = "eager"


@dataclass(frozen=True)
class Verdict:
    """Which variant is handed back, and what may be said of it.

    Attributes:
        best: The fastest verified candidate, if it is faster than the fastest baseline beyond doubt; else that one.
            None where nothing was verified.
        speedup: Of `best` over the fastest baseline: 1 where it is that one, None where nothing may be claimed.
    """

    variants: list[VariantRecord]
    best: str | None
    fastest_baseline: str | None
    speedup: float | None


def reach_verdict(
    comparison: Comparison,
    baselines: Sequence[str],
    candidates: Sequence[Candidate],
    trial: Mapping[str, TrialRow],
    *,
    least_gain: float,
    rejected: Mapping[str, str],
) -> Verdict:
    """Rows for baselines and candidates, in that order, and the winner.

    Args:
        rejected: Candidates that failed a check in an earlier round, and which.
    """
    rows = [_row(comparison, label, None, baselines, trial) for label in baselines]
    for each in candidates:
        row = _row(comparison, each.label, each, baselines, trial)
        if each.label in rejected and each.label not in comparison.reports:
            row = row.model_copy(update={"failed": [rejected[each.label]], "not_timed": "it failed a check"})
        rows.append(row)
    fastest = comparison.fastest(baselines)
    winners = [each.label for each in candidates if _wins(comparison, each.label, baselines, least_gain)]
    best = comparison.fastest(winners) or fastest
    claim = comparison.claim(best, baselines).value if best in winners else None
    if best is not None and best not in winners and comparison.degenerate is None:
        claim = 1.0
    return Verdict(rows, best, fastest, claim)


def _wins(comparison: Comparison, label: str, baselines: Sequence[str], least_gain: float) -> bool:
    """Whether a candidate is faster than every correct baseline by more than noise and by enough to matter."""
    report = comparison.reports.get(label)
    if report is None or not report.correct:
        return False
    against = comparison.fastest(baselines)
    if against is None:
        return report.timing.median_ms is not None
    ratio = speedup(comparison.reports[against].timing, report.timing)
    return ratio is not None and ratio.value >= least_gain and ratio.low > 1


def _row(
    comparison: Comparison,
    label: str,
    candidate: Candidate | None,
    baselines: Sequence[str],
    trial: Mapping[str, TrialRow],
) -> VariantRecord:
    report = comparison.reports.get(label)
    tried = trial.get(label)
    about = {
        "label": label,
        "kind": candidate.kind if candidate else "baseline",
        "execution": candidate.execution if candidate else "",
        "module": candidate.path if candidate else "",
        "trial_ms": tried.median_ms if tried else None,
    }
    if report is None:
        return VariantRecord(**about, verified=False, not_timed=_why_not(tried))
    numbers = _numbers(comparison, report, baselines)
    failed = [f"{check.name}: {check.reason}" for check in report.failed]
    return VariantRecord(**about, verified=report.correct, failed=failed, **numbers)


def _numbers(comparison: Comparison, report: Report, baselines: Sequence[str]) -> dict[str, object]:
    timing, label = report.timing, report.variant.label
    found: dict[str, object] = {
        "latency_ms": timing.median_ms,
        "latency_ci": timing.ci_ms,
        "not_timed": timing.not_measured,
    }
    if comparison.degenerate or not report.correct:
        return found
    if EAGER in comparison.reports and comparison.reports[EAGER].correct:
        ratio = speedup(comparison.reports[EAGER].timing, timing)
        found["speedup_vs_eager"] = ratio.value if ratio else None
    against = comparison.fastest(baselines)
    ratio = speedup(comparison.reports[against].timing, timing) if against else None
    if ratio is not None:
        found |= {"speedup_vs_best_baseline": ratio.value, "speedup_ci": (ratio.low, ratio.high)}
    if against == label:
        found |= {"speedup_vs_best_baseline": 1.0, "speedup_ci": None}
    return found


def _why_not(tried: TrialRow | None) -> str:
    if tried is None:
        return "not tried"
    if tried.failed is not None:
        return tried.failed
    return "no finalist: slower than others in the trial"
