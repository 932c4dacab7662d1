"""The harness: runs variants of a case in processes of their own, judges what they compute, and times them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.harness.cases import CaseForward, make_case_forward
    from netwright.harness.comparison import Comparison, compare_variants
    from netwright.harness.data import agent_provide_inputs, agent_provide_weights
    from netwright.harness.examination import VerificationConfig
    from netwright.harness.rounds import measure
    from netwright.harness.runner import VariantMetrics, execute_variant
    from netwright.harness.statistics import Ratio
    from netwright.harness.timing import Timing, TimingConfig, speedup
    from netwright.harness.tools import profiler_tool, verification_tool
    from netwright.harness.variant import EAGER, Claims, Variant

_HOMES = {
    "CaseForward": "cases",
    "make_case_forward": "cases",
    "agent_provide_inputs": "data",
    "agent_provide_weights": "data",
    "VariantMetrics": "runner",
    "execute_variant": "runner",
    "Ratio": "statistics",
    "Timing": "timing",
    "TimingConfig": "timing",
    "measure": "rounds",
    "speedup": "timing",
    "profiler_tool": "tools",
    "verification_tool": "tools",
    "EAGER": "variant",
    "Claims": "variant",
    "Variant": "variant",
    "Comparison": "comparison",
    "compare_variants": "comparison",
    "VerificationConfig": "examination",
}

__all__ = [
    "EAGER",
    "CaseForward",
    "Claims",
    "Comparison",
    "Ratio",
    "Timing",
    "TimingConfig",
    "Variant",
    "VariantMetrics",
    "VerificationConfig",
    "agent_provide_inputs",
    "agent_provide_weights",
    "compare_variants",
    "execute_variant",
    "make_case_forward",
    "measure",
    "profiler_tool",
    "speedup",
    "verification_tool",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
