"""Resumable workflows: typed state, named nodes, one checkpoint per node; LangGraph is imported only when one runs."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.workflow.graph import END, Route
    from netwright.workflow.outcome import StopReason, WorkflowResult
    from netwright.workflow.settings import Approval, Budgets, WorkflowSettings
    from netwright.workflow.workflow import Workflow

_HOMES = {
    "END": "graph",
    "Route": "graph",
    "StopReason": "outcome",
    "WorkflowResult": "outcome",
    "Approval": "settings",
    "Budgets": "settings",
    "WorkflowSettings": "settings",
    "Workflow": "workflow",
}

__all__ = [
    "END",
    "Approval",
    "Budgets",
    "Route",
    "StopReason",
    "Workflow",
    "WorkflowResult",
    "WorkflowSettings",
]


def __getattr__(name: str) -> Any:
    """Import the public names on first use: a run's context needs the settings and nothing else."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
