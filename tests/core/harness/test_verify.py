"""Tests of the judge's verdicts: every cheat is caught by the check it should be, no honest variant by any."""

import ast
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from netwright.cases import CaseOptions, Tolerance
from netwright.harness import Comparison, TimingConfig, Variant, VerificationConfig, compare_variants, protocol
from netwright.harness.examination import Examination
from netwright.harness.protocol import Draw, Loaded
from netwright.harness.verify import check_floor, plan_draws

CaseName = Callable[[str], str]
MakeVariant = Callable[[str, str], Variant]
InThreads = Callable[[], AbstractContextManager[None]]

HERE = Path(__file__).parent
LOADED = Loaded(
    seconds=0.0,
    settings={"threads": "1"},
    device="cpu",
    dtype="float32",
    batch_size=1,
    input_bytes=0,
    floating_inputs=True,
    tolerance=Tolerance(),
)

CAUGHT_BY = {
    "zeros": "accuracy",
    "constant": "accuracy",
    "first_output": "accuracy",
    "aliases_input": "aliasing",
    "mutates_input": "mutation",
    "mutates_weight": "mutation",
    "replaces_weight": "mutation",
    "wrong_dtype": "dtype",
    "wrong_strides": "strides",
    "wrong_structure": "structure",
    "parameter": "type",
    "half_precision": "accuracy",
    "narrow_detour": "claims",
    "unwritten": "special values",
    "swallows_nan": "special values",
    "contiguous_only": "accuracy",
    "drawn_weights_only": "accuracy",
    "lazy_after_a_while": "timed output",
    "raises": "runs",
    "does_not_load": "loads",
}


@pytest.fixture(scope="module")
def verdicts(case_name: CaseName, local_variant: MakeVariant, quick: TimingConfig, in_threads: InThreads) -> Comparison:
    """All cheats and honest variants, judged in one go."""
    honest = [local_variant("honest.py", name) for name in functions("honest.py")[:-1]]
    cheats = [local_variant("cheats.py", name) for name in CAUGHT_BY]
    by_class = [local_variant("models.py", "Widened")]
    with in_threads():
        return compare_variants(case_name("Perceptron"), CaseOptions(), [*honest, *by_class, *cheats], timing=quick)


def functions(file: str) -> list[str]:
    tree = ast.parse((HERE / file).read_text())
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


@pytest.mark.parametrize(("name", "check"), CAUGHT_BY.items())
def test_a_cheat_is_caught_by_name(verdicts: Comparison, name: str, check: str) -> None:
    report = verdicts.reports[name]
    assert check in {result.name for result in report.failed}
    assert not report.correct
    assert verdicts.claim(name, ["the_module_itself"]).withheld is not None


@pytest.mark.parametrize("name", [*functions("honest.py")[:-1], "Widened"])
def test_an_honest_variant_passes(verdicts: Comparison, name: str) -> None:
    report = verdicts.reports[name]
    assert [(result.name, result.reason) for result in report.failed] == []
    assert report.correct
    assert report.timing.median_ms is not None


def test_a_wrong_variant_is_not_timed(verdicts: Comparison) -> None:
    timing = verdicts.reports["zeros"].timing
    assert timing.median_ms is None
    assert timing.not_measured is not None
    assert "failed the check" in timing.not_measured
    assert verdicts.reports["raises"].timing.not_measured == verdicts.reports["raises"].failed[0].reason


def test_the_draw_that_gave_a_cheat_away_is_named(verdicts: Comparison) -> None:
    assert "strided" in verdicts.reports["contiguous_only"].failed[0].reason
    assert "perturbed" in verdicts.reports["drawn_weights_only"].failed[0].reason
    assert "with nan" in verdicts.reports["swallows_nan"].failed[0].reason


def test_the_first_draw_is_the_jobs_own_and_comes_again_at_the_end() -> None:
    draws, others = plan_draws(VerificationConfig(), LOADED, seed=5)
    assert draws[0] == draws[-1] == Draw(seed=5, weight_seed=5)
    assert {draw.distribution for draw in draws} == {"normal", "uniform", "large", "small", "sparse"}
    assert {draw.special for draw in draws} == {None, "nan", "inf"}
    assert sum(draw.strided for draw in draws) == 1
    assert [(draw.perturbed, draw.resized) for draw in others] == [(True, True)]
    assert {draw.weight_seed for draw in draws} == {5}
    assert [draw.seed for draw in plan_draws(VerificationConfig(), LOADED, seed=5)[0][1:3]] != [
        draw.seed for draw in draws[1:3]
    ]
    assert others[0].weight_seed != 5


def test_there_are_no_special_values_among_integers() -> None:
    tokens = LOADED.model_copy(update={"floating_inputs": False})
    draws, _ = plan_draws(VerificationConfig(strided=False, input_seeds=1, weight_seeds=1), tokens, seed=0)
    assert draws == [Draw(), Draw()]


class FakeJudge:
    """A judge that knows a machine of 1 GB/s and 1 GFLOP/s, and measures twice that the second time."""

    loaded = LOADED

    def number(self, request: protocol.Bandwidth | protocol.PeakRate | protocol.TouchedBytes, *, again: bool) -> float:
        if isinstance(request, protocol.TouchedBytes):
            return 1e6
        return 2e9 if again else 1e9


class FakeArm:
    """An arm that claims nothing."""

    variant = Variant(label="fake")


@pytest.mark.parametrize(
    ("median_ms", "flops", "reason"),
    [
        (0.5, 0, ""),  # 1 MB at 1 GB/s is 1 ms, and the margin is 2
        (0.3, 0, ""),  # below that, but the second measurement of the machine is twice as fast
        (0.2, 0, "0.2 ms per call; moving 1,000,000 bytes cannot take less than 0.25 ms here"),
        (1.9, 10**7, ""),
        (1.6, 10**7, "1.6 ms per call; 10,000,000 floating-point operations cannot take less than 1.67 ms here"),
    ],
)
def test_what_is_faster_than_the_machine_can_be_is_rejected(median_ms: float, flops: int, reason: str) -> None:
    examination = Examination("fake")
    check_floor(examination, FakeJudge(), FakeArm(), Draw(), median_ms, flops)  # type: ignore[arg-type]
    assert examination.results["floor"].reason == reason
    assert examination.has_failed("floor") is bool(reason)


def test_the_first_complaint_stays() -> None:
    examination = Examination("mine")
    examination.note("accuracy", None)
    examination.note("accuracy", "first")
    examination.note("accuracy", "second")
    examination.note("accuracy", None)
    examination.skip("accuracy", "no")
    examination.skip("poison", "no switch")
    assert [(check.name, check.outcome, check.reason) for check in examination.checks] == [
        ("accuracy", "failed", "first"),
        ("poison", "skipped", "no switch"),
    ]
    assert not examination.correct


def test_what_was_not_held_against_the_oracle_is_not_correct() -> None:
    examination = Examination("mine")
    examination.note("runs", None)
    assert not examination.correct
    examination.skip("accuracy", "no float64 oracle")
    assert not examination.correct
    assert examination.failed == ()
