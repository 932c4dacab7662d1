"""Emission: a rewritten graph as a Python file of its own."""

from netwright_fusion.emission.emit import emit, emit_baseline, kernel_names
from netwright_fusion.emission.errors import EmissionError
from netwright_fusion.emission.execution import Execution

__all__ = ["EmissionError", "Execution", "emit", "emit_baseline", "kernel_names"]
