"""What can be learnt of a model's structure: which layers depend on each other, and which are alike."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netwright_pruning.core.dependencies import DependencyAnalyzer
    from netwright_pruning.core.isomorphic import IsomorphicAnalyzer, IsomorphicGroup

_HOMES = {
    "DependencyAnalyzer": "dependencies",
    "IsomorphicAnalyzer": "isomorphic",
    "IsomorphicGroup": "isomorphic",
}

__all__ = ["DependencyAnalyzer", "IsomorphicAnalyzer", "IsomorphicGroup"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
