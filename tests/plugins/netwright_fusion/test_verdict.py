"""The verdict: who wins, what may be claimed, and why there is no number where there is none."""

from netwright.harness.comparison import Comparison, Report
from netwright.harness.examination import CheckResult
from netwright.harness.timing import Timing
from netwright.harness.variant import Variant
from netwright_fusion.portfolio import Candidate
from netwright_fusion.trial import TrialRow
from netwright_fusion.verdict import Verdict, reach_verdict


def report(label: str, times: tuple[float, ...], *, failed: str = "") -> Report:
    checks = (CheckResult(name="accuracy", outcome="failed" if failed else "passed", reason=failed),)
    median = sorted(times)[len(times) // 2] if times else None
    timing = Timing(label=label, times_ms=times, median_ms=median, not_measured=None if times else "it was wrong")
    return Report(variant=Variant(label=label), correct=not failed, checks=checks, timing=timing)


def verdict_of(*reports: Report, degenerate: str | None = None, rejected: dict[str, str] | None = None) -> Verdict:
    by_label = {each.variant.label: each for each in reports}
    comparison = Comparison(case="case", seed=0, degenerate=degenerate, reports=by_label)
    names = [*(label for label in by_label if label not in ("eager", "compiled")), "tried"]
    candidates = [Candidate(label=name, kind="rewritten", execution="eager", path=f"{name}.py") for name in names]
    trial = {"tried": TrialRow(label="tried", median_ms=3.0)}
    return reach_verdict(comparison, ["eager", "compiled"], candidates, trial, least_gain=1.02, rejected=rejected or {})


SLOW, FAST, FASTER = (10.0, 10.1, 9.9, 10.0), (5.0, 5.1, 4.9, 5.0), (2.0, 2.1, 1.9, 2.0)


def test_the_fastest_verified_candidate_wins() -> None:
    verdict = verdict_of(report("eager", SLOW), report("compiled", FAST), report("new", FASTER))
    assert (verdict.best, verdict.fastest_baseline) == ("new", "compiled")
    row = next(row for row in verdict.variants if row.label == "new")
    assert verdict.speedup is not None
    assert verdict.speedup == row.speedup_vs_best_baseline
    assert abs(verdict.speedup - 2.5) < 0.1
    assert row.speedup_vs_eager is not None
    assert abs(row.speedup_vs_eager - 5) < 0.2


def test_a_wrong_candidate_never_wins_however_fast() -> None:
    verdict = verdict_of(report("eager", SLOW), report("compiled", FAST), report("new", (), failed="off by 1"))
    assert (verdict.best, verdict.speedup) == ("compiled", 1.0)
    row = next(row for row in verdict.variants if row.label == "new")
    assert (row.verified, row.failed, row.not_timed) == (False, ["accuracy: off by 1"], "it was wrong")


def test_a_candidate_within_noise_does_not_win() -> None:
    noisy = (9.0, 11.0, 9.1, 10.9)
    verdict = verdict_of(report("eager", (9.2, 11.2, 9.0, 11.1)), report("compiled", SLOW), report("new", noisy))
    assert verdict.best in ("eager", "compiled")
    assert verdict.speedup == 1.0


def test_a_degenerate_case_claims_nothing() -> None:
    verdict = verdict_of(report("eager", SLOW), report("compiled", FAST), report("new", FASTER), degenerate="zeros")
    assert verdict.speedup is None
    assert all(row.speedup_vs_best_baseline is None and row.speedup_vs_eager is None for row in verdict.variants)


def test_every_variant_without_a_latency_says_why() -> None:
    verdict = verdict_of(report("eager", SLOW), rejected={"tried": "accuracy: off"})
    reasons = {row.label: row.not_timed for row in verdict.variants if row.latency_ms is None}
    assert reasons == {"compiled": "not tried", "tried": "it failed a check"}


def test_without_any_right_baseline_the_candidate_is_handed_back_without_a_claim() -> None:
    verdict = verdict_of(report("eager", (), failed="off"), report("new", FASTER))
    assert (verdict.best, verdict.fastest_baseline, verdict.speedup) == ("new", None, None)
