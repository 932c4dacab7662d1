"""The modules of the package build on each other in one direction: when imported, when called, and for types."""

import ast
from collections.abc import Collection
from graphlib import TopologicalSorter
from pathlib import Path

import netwright_pruning

PACKAGE = Path(netwright_pruning.__file__).parent


def test_no_module_leads_back_to_itself() -> None:
    files = {_name(file): file for file in PACKAGE.rglob("*.py")}
    graph = {name: _imports(file, files) - {name} for name, file in files.items()}
    assert sum(map(len, graph.values())) > len(files)
    assert set(TopologicalSorter(graph).static_order()) == set(files)  # a circle is raised, and named


def _name(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(file: Path, known: Collection[str]) -> set[str]:
    statements = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)]
    names = {(str(node.module), f"{node.module}.{alias.name}") for node in statements for alias in node.names}
    return {longer if longer in known else shorter for shorter, longer in names if {longer, shorter} & set(known)}
