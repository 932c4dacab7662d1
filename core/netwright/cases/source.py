"""The source text that a script's behaviour depends on: its own and that of the siblings that it imports."""

import ast
from collections.abc import Iterator
from pathlib import Path

from netwright.files import file_checksum
from netwright.loading import parse_script


def sibling_checksums(path: Path, tree: ast.Module | None = None) -> dict[str, str]:
    """Checksums, by path relative to the script's folder, of the Python files there that it imports, however deeply.

    Args:
        tree: The script's syntax tree, when it is at hand.
    """
    folder = path.resolve().parent
    found: dict[str, str] = {}
    trees = [tree or parse_script(path)]
    while trees:
        for name in _imported_names(trees.pop()):
            for file in _files_of(folder, name):
                relative = file.relative_to(folder).as_posix()
                if relative not in found:
                    found[relative] = file_checksum(file)
                    trees.append(parse_script(file))
    return found


def _imported_names(tree: ast.Module) -> Iterator[str]:
    """The top-level names of the packages that a tree imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.partition(".")[0]


def _files_of(folder: Path, name: str) -> list[Path]:
    package = folder / name
    if (package / "__init__.py").is_file():
        return sorted(package.rglob("*.py"))
    module = folder / f"{name}.py"
    return [module] if module.is_file() else []
