"""What a model is made of, without its weights: built, written as text, read back, and as JSON."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netwright_predictor.structure.architecture import architecture_json, architecture_schema, read_architecture
    from netwright_predictor.structure.node import StructureNode
    from netwright_predictor.structure.parse import parse_structure
    from netwright_predictor.structure.skeleton import build_skeleton
    from netwright_predictor.structure.text import enhanced_structure, structure_tree

_HOMES = {
    "StructureNode": "node",
    "architecture_json": "architecture",
    "architecture_schema": "architecture",
    "build_skeleton": "skeleton",
    "enhanced_structure": "text",
    "parse_structure": "parse",
    "read_architecture": "architecture",
    "structure_tree": "text",
}

__all__ = [
    "StructureNode",
    "architecture_json",
    "architecture_schema",
    "build_skeleton",
    "enhanced_structure",
    "parse_structure",
    "read_architecture",
    "structure_tree",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
