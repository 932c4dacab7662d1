"""Strategy decision: the analyst draws up the plan, and approves what came of it."""

from netwright.files import write_json
from netwright_fusion.analyst import ApprovalQuestion, PlanQuestion, approve, draw_up_plan
from netwright_fusion.cost import Cost, Machine
from netwright_fusion.portfolio import EXECUTIONS
from netwright_fusion.state import FusionState
from netwright_fusion.workbench import Workbench


def decide_strategy(bench: Workbench, state: FusionState) -> dict[str, object]:
    """A plan at first; once variants are verified, approval, or another round of the same plan."""
    if state.plan is not None and state.variants:
        question = ApprovalQuestion(
            variants=state.variants, failed=state.rejected, rounds_left=bench.config.rounds - state.round
        )
        return {"approved": approve(question)}
    machine = Machine(state.flops_per_s, state.bytes_per_s)
    proposals = bench.engineer.propose(
        machine, rules=bench.config.rules, kernels=bench.config.kernels, skip=bench.config.skip
    )
    before = state.before
    plan = draw_up_plan(
        PlanQuestion(
            case=bench.name,
            device=bench.case.options.device,
            mode=bench.mode,
            flops=before.flops if before else 0,
            bytes=before.bytes if before else 0,
            floor_ms=round(machine.floor_ms(Cost(before.flops, before.bytes)), 6) if before else 0.0,
            profile=state.profile_before,
            proposals=proposals,
            executions={name: EXECUTIONS[name] for name in bench.config.executions} if before else {},
        )
    )
    write_json(bench.root / "plan.json", plan.model_dump(mode="json"))
    return {"proposals": proposals, "plan": plan}
