"""Fusion: graph rewrites and Triton kernels that make a module faster, each verified and measured."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netwright_fusion.agent import FusionAgent
    from netwright_fusion.capture import Captured, CaptureError, capture
    from netwright_fusion.config import FusionConfig
    from netwright_fusion.plan import Plan, PlanStep

_HOMES = {
    "CaptureError": "capture",
    "Captured": "capture",
    "FusionAgent": "agent",
    "FusionConfig": "config",
    "Plan": "plan",
    "PlanStep": "plan",
    "capture": "capture",
}

__all__ = ["CaptureError", "Captured", "FusionAgent", "FusionConfig", "Plan", "PlanStep", "capture"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'netwright_fusion' has no attribute '{name}'")
    return getattr(import_module(f"netwright_fusion.{_HOMES[name]}"), name)
