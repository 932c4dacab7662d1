"""Execution: running models as they are and compiled, measured side by side."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netwright_execution.agent import BenchmarkAgent
    from netwright_execution.config import BenchmarkConfig, CompileOptions

_HOMES = {"BenchmarkAgent": "agent", "BenchmarkConfig": "config", "CompileOptions": "config"}

__all__ = ["BenchmarkAgent", "BenchmarkConfig", "CompileOptions"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'netwright_execution' has no attribute '{name}'")
    return getattr(import_module(f"netwright_execution.{_HOMES[name]}"), name)
