"""Tests of comparing variants: what may be claimed, what is written, and that processes are judged as threads are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netwright.cases import CaseOptions
from netwright.errors import UserError
from netwright.harness import (
    Comparison,
    TimingConfig,
    Variant,
    VerificationConfig,
    compare_variants,
    comparison,
    verify,
)
from netwright.harness.arms import Arm
from netwright.harness.comparison import Report
from netwright.harness.examination import CheckResult
from netwright.harness.judge import Judge, JudgeError
from netwright.harness.protocol import Draw
from netwright.harness.timing import Timing

CaseName = Callable[[str], str]
MakeVariant = Callable[[str, str], Variant]

IN_A_PROCESS = {
    "no_timers": "integrity",
    "other_settings": "settings",
    "zeros": "accuracy",
    "lazy_after_a_while": "timed output",
}
BRIEFLY = VerificationConfig(input_seeds=1, weight_seeds=1, distributions=(), special=(), strided=False)


def report(label: str, times: tuple[float, ...], *failed: str) -> Report:
    checks = tuple(CheckResult(name=name, outcome="failed", reason="because") for name in failed)
    median = sorted(times)[len(times) // 2] if times else None
    timing = Timing(label=label, times_ms=times, median_ms=median, not_measured=None if times else "it hung")
    return Report(variant=Variant(label=label), correct=not failed, checks=checks, timing=timing)


def compared(*reports: Report, degenerate: str | None = None) -> Comparison:
    return Comparison(
        case="mine", seed=0, degenerate=degenerate, reports={each.variant.label: each for each in reports}
    )


SLOW, MIDDLE, FAST = (report(name, (time,) * 5) for name, time in (("slow", 8.0), ("middle", 4.0), ("fast", 2.0)))


def test_a_speed_up_is_claimed_against_the_fastest_of_the_others() -> None:
    claim = compared(SLOW, MIDDLE, FAST).claim("fast", ["slow", "middle", "fast"])
    assert (claim.value, claim.ci, claim.against) == (2.0, (2.0, 2.0), "middle")
    assert claim.withheld is None


def test_a_wrong_comparator_is_none() -> None:
    comparison = compared(SLOW, report("middle", (4.0,) * 5, "accuracy"), FAST)
    assert comparison.claim("fast", ["slow", "middle"]).against == "slow"
    assert comparison.fastest(["middle"]) is None
    assert comparison.claim("fast", ["middle"]).withheld == "no comparator was measured"


def test_nothing_is_claimed_of_a_wrong_variant() -> None:
    comparison = compared(SLOW, report("fast", (2.0,) * 5, "accuracy", "floor"))
    assert comparison.claim("fast", ["slow"]).withheld == "failed checks: accuracy, floor"


def test_nothing_is_claimed_on_a_degenerate_case() -> None:
    comparison = compared(SLOW, FAST, degenerate="zeros")
    assert comparison.claim("fast", ["slow"]).withheld == "the case is degenerate: zeros would pass"


def test_nothing_is_claimed_of_what_was_not_timed() -> None:
    assert compared(SLOW, report("fast", ())).claim("fast", ["slow"]).withheld == "it hung"


def test_labels_must_differ() -> None:
    with pytest.raises(UserError, match="two variants are labelled 'eager'"):
        compare_variants("mine", CaseOptions(), [Variant(label="eager")] * 2)


@pytest.mark.slow
def test_it_is_the_same_with_processes(case_name: CaseName, local_variant: MakeVariant, quick: TimingConfig) -> None:
    files = {name: "hostile.py" if name == "no_timers" else "cheats.py" for name in IN_A_PROCESS}
    variants = [local_variant(file, name) for name, file in files.items()]
    unread = VerificationConfig(source=False)
    comparison = compare_variants(case_name("Perceptron"), CaseOptions(), variants, verification=unread, timing=quick)
    for name, check in IN_A_PROCESS.items():
        assert check in {result.name for result in comparison.reports[name].failed}
        assert not comparison.reports[name].correct


@pytest.mark.usefixtures("threaded_workers")
def test_what_reads_badly_is_never_run(case_name: CaseName, local_variant: MakeVariant, quick: TimingConfig) -> None:
    variants = [local_variant("hostile.py", "exits"), Variant(label="eager")]
    comparison = compare_variants(case_name("Perceptron"), CaseOptions(), variants, verification=BRIEFLY, timing=quick)
    assert list(comparison.reports) == ["exits", "eager"]
    (failed,) = comparison.reports["exits"].failed
    assert (failed.name, failed.reason) == ("source", "hostile.py, line 3: it imports gc")
    assert comparison.reports["eager"].correct


@pytest.mark.usefixtures("threaded_workers")
def test_an_expert_is_asked_and_stays(
    case_name: CaseName, quick: TimingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, eager = case_name("Perceptron"), [Variant(label="eager")]
    with Judge(name, CaseOptions(), threads=1, seed=0, call_timeout=60) as judge:
        monkeypatch.setattr(comparison, "Judge", None)  # it is needed no more
        found = [
            compare_variants(name, CaseOptions(), eager, verification=BRIEFLY, timing=quick, expert=judge)
            for _ in range(2)
        ]
        assert all(each.reports["eager"].correct for each in found)
        assert judge.alive


@pytest.mark.usefixtures("threaded_workers")
def test_comparators_and_what_fails_are_looked_at_no_longer_than_it_takes(
    case_name: CaseName, local_variant: MakeVariant, quick: TimingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: dict[str, list[Draw]] = {"eager": [], "mine": [], "zeros": []}

    def examine(judge: Judge, arm: Arm, draw: Draw, *rest: Any, **options: Any) -> None:
        called[arm.label].append(draw)
        verify.examine(judge, arm, draw, *rest, **options)

    monkeypatch.setattr(comparison, "examine", examine)
    verification = VerificationConfig(
        source=False, input_seeds=1, distributions=("large",), special=(), every_failure=False
    )
    compare_variants(
        case_name("Perceptron"),
        CaseOptions(),
        [Variant(label="eager"), Variant(label="mine"), local_variant("cheats.py", "zeros")],
        comparators=["eager"],
        verification=verification,
        timing=quick,
    )
    assert [each.distribution for each in called["eager"]] == ["normal", "large", "normal"]
    assert [each.strided for each in called["mine"]] == [False, False, True, False, False]
    assert called["mine"][-1].perturbed
    assert len(called["zeros"]) == 1


@pytest.mark.usefixtures("threaded_workers")
def test_a_degenerate_case_is_recognised(case_name: CaseName, quick: TimingConfig) -> None:
    eager = [Variant(label="eager")]
    trivial = compare_variants(case_name("Nothing"), CaseOptions(), eager, verification=BRIEFLY, timing=quick)
    assert trivial.degenerate == "zeros"
    real = compare_variants(case_name("Sum"), CaseOptions(), eager, verification=BRIEFLY, timing=quick)
    assert real.degenerate is None
    assert real.reports["eager"].correct


@pytest.mark.usefixtures("threaded_workers")
@pytest.mark.parametrize("name", ["Perceptron", "Dropping", "Unchanged", "Embedding"])
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_eager_is_always_right(case_name: CaseName, quick: TimingConfig, name: str, mode: str) -> None:
    constants = {"inputs": {"args": [{"shape": [3, 7], "dtype": "int64", "range": [0, 11]}]}}
    options = CaseOptions.model_validate({"mode": mode, "constants": constants if name == "Embedding" else None})
    comparison = compare_variants(case_name(name), options, [Variant(label="eager")], timing=quick)
    assert comparison.reports["eager"].failed == ()
    assert comparison.reports["eager"].correct


@pytest.mark.usefixtures("threaded_workers")
def test_a_module_that_raises_on_its_own_inputs_is_for_the_user_to_mend(
    case_name: CaseName, quick: TimingConfig
) -> None:
    with pytest.raises(JudgeError, match="the unmodified module fails") as raised:
        compare_variants(case_name("Embedding"), CaseOptions(), [], timing=quick)
    assert raised.value.exit_code == 2
    assert JudgeError("it crashed").exit_code == 1


@pytest.mark.usefixtures("threaded_workers")
def test_a_rewrite_that_removes_operations_is_right(
    case_name: CaseName, local_variant: MakeVariant, quick: TimingConfig
) -> None:
    rewrite = local_variant("honest.py", "total_by_one_product")
    comparison = compare_variants(case_name("Total"), CaseOptions(), [rewrite], timing=quick)
    assert comparison.degenerate is None
    assert comparison.reports[rewrite.label].failed == ()


@pytest.mark.usefixtures("threaded_workers")
def test_model_metrics_and_traces_come_along(case_name: CaseName, quick: TimingConfig, tmp_path: Path) -> None:
    trace = tmp_path / "deep" / "trace.json"
    metrics = {"macs": "netwright_execution.metrics:macs", "broken": "netwright_execution.metrics:no_such"}
    comparison = compare_variants(
        case_name("Perceptron"),
        CaseOptions(),
        [Variant(label="eager")],
        verification=BRIEFLY,
        timing=quick,
        metrics=metrics,
        traces={"eager": trace},
    )
    numbers = comparison.reports["eager"].numbers
    assert numbers["macs"].value == 8 * (16 * 48 + 48 * 40)
    assert numbers["broken"].value is None
    assert "no_such" in str(numbers["broken"].not_measured)
    assert trace.exists()
    assert comparison.reports["eager"].trace == trace
