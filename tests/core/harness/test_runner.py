"""Tests of executing one variant."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from netwright.context import RunContext
from netwright.errors import UserError
from netwright.harness import TimingConfig, Variant, VerificationConfig, execute_variant, make_case_forward

CaseName = Callable[[str], str]
MakeVariant = Callable[[str, str], Variant]

pytestmark = pytest.mark.usefixtures("threaded_workers")
BRIEFLY = VerificationConfig(input_seeds=1, weight_seeds=1, distributions=(), special=(), strided=False)


def stored(folder: Path, label: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / "artifacts" / label / "metrics.json").read_text())
    return values


def test_a_cases_forward_is_judged_and_timed_by_reference(
    case_name: CaseName, quick: TimingConfig, run_context: RunContext
) -> None:
    forward = make_case_forward(case_name("Perceptron"))
    metrics = execute_variant("mine", forward, use_profiler=True, verification=BRIEFLY, timing=quick)
    assert (metrics.trust, metrics.compiled, metrics.correct) == ("trusted", True, True)
    assert run_context.folder is not None
    values = stored(run_context.folder.path, "mine")
    assert values["latency_ms"] == metrics.latency_ms is not None
    assert values["throughput"] == pytest.approx(8e3 / values["latency_ms"])
    assert values["peak_memory_bytes"] > 0
    assert {check["outcome"] for check in values["checks"]} == {"passed"}
    assert (run_context.folder.path / "artifacts" / "mine" / values["trace"]).exists()


def test_outside_a_run_artifacts_lie_in_the_current_folder(
    case_name: CaseName, local_variant: MakeVariant, quick: TimingConfig, project: Path
) -> None:
    zeros = local_variant("cheats.py", "zeros")
    metrics = execute_variant("cheat", zeros, case=case_name("Perceptron"), verification=BRIEFLY, timing=quick)
    assert (metrics.label, metrics.trust, metrics.compiled, metrics.correct) == ("cheat", "trusted", True, False)
    assert stored(project, "cheat")["latency_ms"] is None


def test_a_variant_that_does_not_load_is_reported(
    case_name: CaseName, local_variant: MakeVariant, quick: TimingConfig, project: Path
) -> None:
    broken = local_variant("cheats.py", "does_not_load")
    metrics = execute_variant("broken", broken, case=case_name("Perceptron"), verification=BRIEFLY, timing=quick)
    assert (metrics.compiled, metrics.correct) == (False, False)
    assert metrics.timing.not_measured == "RuntimeError: cannot be built"
    assert stored(project, "broken")["compiled"] is False


@pytest.mark.parametrize(("factor", "correct"), [(1.0, True), (1.1, False)])
def test_a_closure_is_held_against_its_case_and_marked_untrusted(
    case_name: CaseName, quick: TimingConfig, project: Path, factor: float, correct: bool
) -> None:
    forward = make_case_forward(case_name("Perceptron"))

    def closure() -> torch.Tensor:
        output = forward()
        assert isinstance(output, torch.Tensor)
        return output * factor

    metrics = execute_variant("bare", closure, use_profiler=True, case=case_name("Perceptron"), timing=quick)
    assert (metrics.trust, metrics.correct) == ("untrusted", correct)
    assert metrics.latency_ms is not None
    values = stored(project, "bare")
    assert values["peak_memory_bytes"] is None
    assert (project / "artifacts" / "bare" / values["trace"]).exists()


def test_a_closure_without_a_case_is_only_timed(quick: TimingConfig, project: Path) -> None:
    metrics = execute_variant("alone", lambda: sum(range(1000)), timing=quick)
    assert (metrics.trust, metrics.correct, metrics.case, metrics.checks) == ("untrusted", None, None, ())
    assert stored(project, "alone")["latency_ms"] > 0


def test_a_variant_needs_a_case(project: Path) -> None:
    with pytest.raises(UserError, match="comes without a case"):
        execute_variant("mine", Variant(label="mine"))
