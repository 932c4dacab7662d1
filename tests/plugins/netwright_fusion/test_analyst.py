"""The analyst: its rule, what it refuses from a language model, and that it writes a plan and no code."""

from collections.abc import Callable

import pytest

from netwright_fusion.analyst import ApprovalQuestion, PlanQuestion, approve, draw_up_plan
from netwright_fusion.metrics import VariantRecord
from netwright_fusion.plan import PlanStep, risk_of


def step(number: int, *, flops: int = 100) -> PlanStep:
    return PlanStep(
        id=f"r{number}",
        kind="rule",
        spec="linear to sum over outputs",
        site=f"site {number}",
        key=f"linear to sum over outputs: site {number}",
        target_ops=["linear"],
        flops_removed=flops,
        bytes_removed=0,
        gain_ms=0.1,
        risk="low",
        reason="less",
    )


def question(*steps: PlanStep) -> PlanQuestion:
    return PlanQuestion(
        case="case",
        device="cpu",
        mode="eval",
        flops=1000,
        bytes=10,
        floor_ms=1.0,
        profile=[],
        proposals=list(steps),
        executions={"eager": "plainly", "compiled": "by a compiler"},
    )


def test_the_rule_takes_every_step_and_execution() -> None:
    plan = draw_up_plan(question(step(1), step(2)))
    assert plan.go
    assert [each.id for each in plan.steps] == ["r1", "r2"]
    assert plan.executions == ["eager", "compiled"]
    assert "200 FLOPs (20% of all)" in plan.reasons[0]


def test_without_a_graph_it_is_a_no_go() -> None:
    plan = draw_up_plan(question().model_copy(update={"executions": {}}))
    assert not plan.go
    assert plan.executions == []


def test_a_model_may_leave_steps_out(scripted_model: Callable[..., object]) -> None:
    scripted_model({"go": True, "steps": ["r2"], "executions": ["compiled"], "reasons": ["r1 looks risky"]})
    plan = draw_up_plan(question(step(1), step(2)))
    assert [each.id for each in plan.steps] == ["r2"]
    assert plan.reasons == ["r1 looks risky"]


def test_a_model_that_invents_steps_is_corrected(scripted_model: Callable[..., object]) -> None:
    backend = scripted_model(
        {"go": True, "steps": ["r9"], "executions": ["eager"]}, {"go": True, "steps": [], "executions": ["eager"]}
    )
    assert draw_up_plan(question(step(1))).steps == []
    assert "there is no step r9; there are: r1" in backend.requests[1].messages[-1].content  # type: ignore[attr-defined]


@pytest.mark.parametrize(("left", "failed", "approved"), [(0, {"a": "accuracy: off"}, True), (2, {}, True)])
def test_another_round_must_have_something_to_do(
    scripted_model: Callable[..., object], left: int, failed: dict[str, str], approved: bool
) -> None:
    scripted_model({"approve": False}, {"approve": False}, {"approve": False})
    rows = [VariantRecord(label="eager", kind="baseline", verified=True, latency_ms=1.0)]
    assert approve(ApprovalQuestion(variants=rows, failed=failed, rounds_left=left)) is approved


def test_more_conditions_are_more_risk() -> None:
    assert risk_of(conditions="any weights", measured=False) == "low"
    assert risk_of(conditions="eval only", measured=False) == "medium"
    assert risk_of(conditions="any weights", measured=True) == "medium"
