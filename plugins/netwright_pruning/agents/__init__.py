"""The agents of the pruning loop: each takes a mapping and returns one, as the seed's reference has it."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netwright.agent import AgentResponse, BaseAgent
    from netwright_pruning.agents.analysis import AnalysisAgent
    from netwright_pruning.agents.evaluation import EvaluationAgent
    from netwright_pruning.agents.fine_tuning import FineTuningAgent
    from netwright_pruning.agents.master import MasterAgent
    from netwright_pruning.agents.profiling import ProfilingAgent
    from netwright_pruning.agents.pruning import PruningAgent
    from netwright_pruning.agents.records import (
        AttemptRecord,
        LayerParameters,
        ModelProfile,
        PrunableLayer,
        PruningStrategy,
    )

_AGENTS = "netwright_pruning.agents"
_HOMES = {
    "AgentResponse": "netwright.agent",
    "AnalysisAgent": f"{_AGENTS}.analysis",
    "AttemptRecord": f"{_AGENTS}.records",
    "BaseAgent": "netwright.agent",
    "EvaluationAgent": f"{_AGENTS}.evaluation",
    "FineTuningAgent": f"{_AGENTS}.fine_tuning",
    "LayerParameters": f"{_AGENTS}.records",
    "MasterAgent": f"{_AGENTS}.master",
    "ModelProfile": f"{_AGENTS}.records",
    "ProfilingAgent": f"{_AGENTS}.profiling",
    "PrunableLayer": f"{_AGENTS}.records",
    "PruningAgent": f"{_AGENTS}.pruning",
    "PruningStrategy": f"{_AGENTS}.records",
}

__all__ = [
    "AgentResponse",
    "AnalysisAgent",
    "AttemptRecord",
    "BaseAgent",
    "EvaluationAgent",
    "FineTuningAgent",
    "LayerParameters",
    "MasterAgent",
    "ModelProfile",
    "ProfilingAgent",
    "PrunableLayer",
    "PruningAgent",
    "PruningStrategy",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
