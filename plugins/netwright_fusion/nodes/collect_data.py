"""Data collection: where the unmodified module's time goes, what its graph is, and what that costs."""

from netwright.context import current_run
from netwright.errors import NetwrightError
from netwright.files import write_text
from netwright.harness.tools import profiler_tool
from netwright_fusion.capture import CaptureError
from netwright_fusion.cost import graph_cost, measure_machine
from netwright_fusion.metrics import OpShare
from netwright_fusion.state import Figures, FusionState
from netwright_fusion.workbench import Workbench

PROFILED_CALLS = 3
TOP = 12


def collect_data(bench: Workbench, state: FusionState) -> dict[str, object]:  # noqa: ARG001 - all nodes are called alike
    """Profile the case with the standard tool, and capture its graph.

    Raises:
        UserError: The case is wrong.
        NetwrightError: The unmodified module cannot be called.
    """
    captured = bench.captured
    update: dict[str, object] = {}
    if isinstance(captured, CaptureError):
        current_run().warn(f"no graph to rewrite: {captured}")
        update["not_captured"] = str(captured)
    else:
        cost = graph_cost(captured.graph)
        update["before"] = Figures(flops=cost.flops, bytes=cost.bytes)
        write_text(bench.root / "graph.txt", f"{captured.graph.graph}\n")
    with current_run().step("profile"):
        update["profile_before"] = _profile(bench)
    machine = measure_machine(bench.case.options.device, bench.dtype)
    return {**update, "flops_per_s": machine.flops_per_s, "bytes_per_s": machine.bytes_per_s}


def _profile(bench: Workbench) -> list[OpShare]:
    try:
        report = profiler_tool(
            bench.name, calls=PROFILED_CALLS, top=TOP, case_options=bench.job.case_options, seed=bench.job.seed
        )
    except NetwrightError as error:
        current_run().warn(f"no profile: {error}")
        return []
    return [
        OpShare(name=op.name, calls=op.calls // report.calls, self_ms=op.self_ms / report.calls, share=op.share)
        for op in report.ops
    ]
