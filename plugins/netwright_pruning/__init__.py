"""Structured pruning to a budget, on any model whose forward can be followed."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netwright_pruning.agent import PrunerAgent
    from netwright_pruning.budget import Budget
    from netwright_pruning.config import BudgetConfig, PrunerConfig
    from netwright_pruning.engine import prune_to_budget
    from netwright_pruning.method import BasePruningMethod
    from netwright_pruning.methods import load_method
    from netwright_pruning.outcome import BudgetOutcome, Pruning
    from netwright_pruning.pruner import MultiAgentPruner
    from netwright_pruning.recalibration import recalibrate
    from netwright_pruning.saved import load_pruned, save_pruned
    from netwright_pruning.scoring import Importance

_HOMES = {
    "BasePruningMethod": "method",
    "Budget": "budget",
    "BudgetConfig": "config",
    "BudgetOutcome": "outcome",
    "Importance": "scoring",
    "MultiAgentPruner": "pruner",
    "PrunerAgent": "agent",
    "PrunerConfig": "config",
    "Pruning": "outcome",
    "load_method": "methods",
    "load_pruned": "saved",
    "prune_to_budget": "engine",
    "recalibrate": "recalibration",
    "save_pruned": "saved",
}

__all__ = [
    "BasePruningMethod",
    "Budget",
    "BudgetConfig",
    "BudgetOutcome",
    "Importance",
    "MultiAgentPruner",
    "PrunerAgent",
    "PrunerConfig",
    "Pruning",
    "load_method",
    "load_pruned",
    "prune_to_budget",
    "recalibrate",
    "save_pruned",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'netwright_pruning' has no attribute '{name}'")
    return getattr(import_module(f"netwright_pruning.{_HOMES[name]}"), name)
