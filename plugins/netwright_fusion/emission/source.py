"""The original's source as a part of a generated file: whole, or the parts of it that its class needs."""

import ast
import inspect
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from netwright.harness.source import complaint
from netwright.harness.variant import Variant


def fitting_source(text: str, class_name: str) -> str:
    """The source, whole where a candidate may contain all of it, else the parts that a class needs."""
    return text if _objection(text) is None else _needed(text, class_name)


def names_of(text: str) -> set[str]:
    """The names that a source binds at its top level."""
    return {name for statement in ast.parse(text).body for name in _bound(statement)}


def imported(text: str) -> dict[str, str]:
    """What the names that a source imports at its top level stand for."""
    found = {}
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                found[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(statement, ast.ImportFrom):
            found |= {alias.asname or alias.name: f"{statement.module}.{alias.name}" for alias in statement.names}
        else:
            for name in _bound(statement):
                found.pop(name, None)
    return found


def functions_of(helpers: Iterable[Callable[..., Any]]) -> dict[str, str]:
    """The functions that helpers are made of, by name: their text, of which each needs no more than torch.

    Args:
        helpers: Functions of this package.
    """
    found: dict[str, str] = {}
    for helper in helpers:
        module = sys.modules[helper.__module__]
        needed = ast.parse(_needed(inspect.getsource(module), helper.__name__)).body
        names = [statement.name for statement in needed if isinstance(statement, ast.FunctionDef)]
        found |= {name: inspect.getsource(getattr(module, name)) for name in names}
    return found


def _objection(text: str) -> str | None:
    """What the judge's reading of a candidate has against a text."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "optimized.py"
        file.write_text(text, encoding="utf-8")
        return complaint(Variant(label="source", target=f"{file}:ModelNew"))


def _needed(text: str, class_name: str) -> str:
    """The top-level statements that a class depends on, by the names that they use."""
    tree = ast.parse(text)
    wanted, kept = {class_name}, set()
    growing = True
    while growing:
        growing = False
        for number, statement in enumerate(tree.body):
            if number in kept or wanted.isdisjoint(_bound(statement)):
                continue
            kept.add(number)
            wanted |= {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
            growing = True
    lines = text.splitlines()
    parts = [lines[_first_line(tree.body[n]) - 1 : tree.body[n].end_lineno] for n in sorted(kept)]
    return "\n".join("\n".join(part) + ("\n\n" if len(part) > 1 else "") for part in parts).strip() + "\n"


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(each.lineno for each in decorators)])


def _bound(statement: ast.stmt) -> Iterator[str]:
    match statement:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
            yield name
        case ast.Import(names=aliases):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in aliases)
        case ast.ImportFrom(names=aliases, module=module):
            if module == "__future__":
                yield "__future__"
            yield from (alias.asname or alias.name for alias in aliases)
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign() | ast.If() | ast.Try() | ast.For() | ast.With():
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    yield node.id
