"""A profile as results show it: the operators that take the most, per call."""

from netwright.harness.protocol import Profiled
from netwright_fusion.metrics import OpShare

TOP = 12


def op_shares(profiled: Profiled | None) -> list[OpShare]:
    """The operators that take the most time; none where nothing was profiled."""
    if profiled is None:
        return []
    calls, total = profiled.profiled_calls, sum(op.self_ms for op in profiled.ops) or 1.0
    return [
        OpShare(name=op.name, calls=op.calls // calls, self_ms=op.self_ms / calls, share=op.self_ms / total)
        for op in profiled.ops[:TOP]
    ]
