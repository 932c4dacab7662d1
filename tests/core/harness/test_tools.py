"""Tests of the harness as tools."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from netwright.errors import UserError
from netwright.harness import profiler_tool, verification_tool
from netwright.harness.tools import VerificationReport
from netwright.tool import Tool, to_json

CaseName = Callable[[str], str]

HERE = Path(__file__).parent
QUICK = {"min_rounds": 2, "max_rounds": 3, "max_seconds": 0.1, "warm_up_seconds": 0.1, "threads": 1}
BRIEFLY = {"input_seeds": 1, "weight_seeds": 1, "distributions": [], "special": [], "strided": False}

pytestmark = pytest.mark.usefixtures("threaded_workers")


def verify(case: str, variant: str, **arguments: object) -> VerificationReport:
    """As a person or an MCP client calls it: with JSON."""
    values = {"case": case, "variant": variant, "timing": QUICK, "verification": BRIEFLY, **arguments}
    report = Tool("verification_tool").call(json.loads(json.dumps(values)))
    assert isinstance(report, VerificationReport)
    assert VerificationReport.model_validate_json(to_json(report)) == report
    return report


def test_an_honest_variant_is_accepted(case_name: CaseName) -> None:
    report = verify(case_name("Perceptron"), f"{HERE / 'honest.py'}:reassociated")
    assert (report.verdict, report.compilation, report.correctness, report.performance) == (
        "accepted",
        True,
        True,
        True,
    )
    assert report.latency_ms.keys() == {"reassociated", "eager"}
    assert report.speedup.against == "eager"
    assert report.speedup.value is not None


def test_a_cheat_is_rejected_with_its_reasons(case_name: CaseName) -> None:
    report = verify(case_name("Perceptron"), f"{HERE / 'cheats.py'}:zeros")
    assert (report.verdict, report.compilation, report.correctness, report.performance) == (
        "rejected",
        True,
        False,
        False,
    )
    assert any(check.name == "accuracy" and "largest error" in check.reason for check in report.checks)
    assert report.speedup.value is None
    assert "accuracy" in str(report.speedup.withheld)
    assert report.not_measured["zeros"] == "it failed the check 'accuracy'"


def test_what_does_not_load_is_a_failed_compilation(case_name: CaseName) -> None:
    report = verify(case_name("Perceptron"), f"{HERE / 'honest.py'}:no_such_variant")
    assert (report.verdict, report.compilation, report.correctness) == ("rejected", False, False)
    (check,) = (each for each in report.checks if each.outcome == "failed")
    assert check.name == "loads"
    assert "no_such_variant" in check.reason


def test_a_file_that_is_not_there_is_the_users_error(case_name: CaseName) -> None:
    with pytest.raises(UserError, match="there is no file"):
        verify(case_name("Perceptron"), f"{HERE / 'no_such_file.py'}:variant")


def test_a_declared_precision_has_that_precisions_tolerance(case_name: CaseName) -> None:
    variant = f"{HERE / 'cheats.py'}:half_precision"
    assert verify(case_name("Perceptron"), variant).verdict == "rejected"
    assert verify(case_name("Perceptron"), variant, claims={"precision": "bfloat16"}).verdict == "accepted"


def test_a_claim_that_the_profile_does_not_bear_out_is_rejected(case_name: CaseName) -> None:
    variant = f"{HERE / 'honest.py'}:reassociated"
    assert verify(case_name("Perceptron"), variant, claims={"kernels": ["aten::mm"]}).verdict == "accepted"
    report = verify(case_name("Perceptron"), variant, claims={"kernels": ["my_fused_kernel"]})
    assert report.verdict == "rejected"
    assert [(check.name, check.reason) for check in report.checks if check.outcome == "failed"] == [
        ("claims", "kernel 'my_fused_kernel' does not show up in its profile")
    ]


def test_a_baseline_can_be_judged_beside_itself(case_name: CaseName) -> None:
    report = verify(case_name("Perceptron"), "eager")
    assert report.verdict == "accepted"
    assert report.latency_ms.keys() == {"eager (variant)", "eager"}


def test_an_unknown_variant_is_the_users_error(case_name: CaseName) -> None:
    with pytest.raises(UserError, match="did you mean 'torch_compile'"):
        verification_tool(case_name("Perceptron"), "torch_compil")
    with pytest.raises(UserError, match="group"):
        verification_tool(case_name("Perceptron"), "magnitude_l1")


def test_a_profile_names_the_most_expensive_operators(case_name: CaseName, project: Path) -> None:
    report = profiler_tool(case_name("Perceptron"), calls=2, top=3)
    assert len(report.ops) == 3
    assert report.ops[0].self_ms >= report.ops[1].self_ms
    assert 0 < report.ops[0].share <= 1
    assert report.trace == project / "artifacts" / "eager" / "profiler" / "trace.json"
    assert report.trace.exists()
    assert json.loads(to_json(report))["variant"] == "eager"
