"""Data collection: where the unmodified module's time goes, what its graph is, and what that costs."""

from netwright.context import current_run
from netwright.errors import NetwrightError
from netwright.files import write_text
from netwright.harness import EAGER, protocol
from netwright.harness.arms import Arm
from netwright.harness.runner import TRACE, artifact_folder
from netwright_fusion.capture import CaptureError
from netwright_fusion.cost import graph_cost, measure_machine
from netwright_fusion.metrics import OpShare
from netwright_fusion.portfolio import Figures
from netwright_fusion.shares import op_shares
from netwright_fusion.state import FusionState
from netwright_fusion.workbench import Workbench

PROFILED_CALLS = 3


def collect_data(bench: Workbench, state: FusionState) -> dict[str, object]:  # noqa: ARG001 - all nodes are called alike
    """Profile the case in the judge's process, which starts while the graph is captured.

    Raises:
        UserError: The case is wrong.
        NetwrightError: The unmodified module cannot be called.
    """
    update: dict[str, object] = {}
    judge = bench.judge
    captured = bench.captured
    if isinstance(captured, CaptureError):
        current_run().warn(f"no graph to rewrite: {captured}")
        update["not_captured"] = str(captured)
    else:
        cost = graph_cost(captured.graph)
        update["before"] = Figures(flops=cost.flops, bytes=cost.bytes)
        write_text(bench.root / "graph.txt", f"{captured.graph.graph}\n")
    with current_run().step("profile"):
        update["profile_before"] = _profile(bench, judge.arm)
    machine = measure_machine(bench.case.options.device, bench.dtype)
    return {**update, "flops_per_s": machine.flops_per_s, "bytes_per_s": machine.bytes_per_s}


def _profile(bench: Workbench, arm: Arm) -> list[OpShare]:
    limit = bench.config.timing.compile_timeout_s
    try:
        arm.ask(protocol.WarmUp(draw=bench.draw, seconds=0.0), protocol.WarmedUp, timeout=limit)
        profiled = arm.profile(PROFILED_CALLS, artifact_folder(EAGER.label) / TRACE, timeout=limit)
    except NetwrightError as error:
        current_run().warn(f"no profile: {error}")
        return []
    return op_shares(profiled)
