"""Importing by reference: a module's attribute, or one of any Python file."""

import ast
import re
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from netwright.errors import UserError, nearest
from netwright.files import content_key

TRACEBACK_LINES = 6

_sibling_folders: dict[str, Path] = {}
"""Per module that a script imported from its own folder, that folder."""


def load_attribute(target: str) -> object:
    """Import what `target` names.

    Args:
        target: "package.module:attribute" or "path/to/file.py:attribute".

    Raises:
        UserError: The target is malformed, its module or file is missing or does not import (the message ends with
            its own traceback's last lines), or it has no such attribute (the nearest name is shown).
    """
    origin, _, attribute = target.rpartition(":")
    if not origin or not attribute:
        raise UserError(
            f"'{target}' names nothing to import", remedy="write package.module:name or path/to/file.py:name"
        )
    module = load_script(Path(origin)) if origin.endswith(".py") else _import(origin)
    return attribute_of(module, attribute, origin)


def attribute_of(module: ModuleType, attribute: str, origin: str) -> object:
    """`module.attribute`.

    Args:
        origin: The module's name or file as the user knows it.

    Raises:
        UserError: There is no such attribute; the nearest name is shown, or the `nn.Module` classes of a script.
    """
    if hasattr(module, attribute):
        value: object = getattr(module, attribute)
        return value
    known = _module_classes(module) or _definitions(module)
    guess = nearest(attribute, known)
    remedy = f"did you mean '{guess}'?" if guess else f"it has: {', '.join(sorted(known)) or 'nothing'}"
    raise UserError(f"{origin} has no '{attribute}'", remedy=remedy)


def parse_script(path: Path) -> ast.Module:
    """The syntax tree of a Python file.

    Raises:
        UserError: There is no such file, or it is not Python (with file and line).
    """
    try:
        return ast.parse(path.read_bytes(), filename=str(path.resolve()))
    except OSError as error:
        raise UserError(f"cannot read {path}", why=(error.strerror or str(error)).lower()) from None
    except (SyntaxError, ValueError) as error:
        raise _does_not_import(path, error) from error


def defined_names(tree: ast.Module) -> set[str]:
    """The names of the classes and functions that a script defines at its top level."""
    definitions = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return {statement.name for statement in tree.body if isinstance(statement, definitions)}


def load_script(path: Path, tree: ast.Module | None = None) -> ModuleType:
    """Import a Python file as a module of its own name, once per path and content.

    The file's folder leads the import path meanwhile, so that it finds its siblings. The module stays in
    `sys.modules`: its classes can be pickled, inspected and compiled in this process.

    Args:
        tree: The file's syntax tree, changed where the file should be executed otherwise than it stands.

    Raises:
        UserError: There is no such file, or it does not import; with file, line and its traceback's last lines.
    """
    tree = tree or parse_script(path)
    file = path.resolve()
    stem = re.sub(r"\W", "_", path.stem)  # torch.compile makes identifiers of module names
    name = f"netwright_script_{stem}_{content_key(str(file), ast.dump(tree))[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, file)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    _forget_siblings_elsewhere(file.parent)
    known = set(sys.modules)
    sys.path.insert(0, str(file.parent))
    try:
        exec(compile(tree, str(file), "exec", dont_inherit=True), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _does_not_import(path, error) from error
    finally:
        with suppress(ValueError):  # the script took it out
            sys.path.remove(str(file.parent))
        _remember_siblings(set(sys.modules) - known, file.parent)
    return module


def _import(name: str) -> ModuleType:
    try:
        return import_module(name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
            raise UserError(f"no module named '{error.name}'", why=f"'{name}' cannot be imported") from None
        raise _does_not_import(name, error) from error


def _does_not_import(origin: Path | str, error: BaseException) -> UserError:
    """The error for code that raised on import: where and what on the first line, then its traceback's last lines."""
    file = _source_file(origin)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == file]
    if isinstance(error, SyntaxError):
        where = f"{error.filename}, line {error.lineno}"
    elif own:
        where = f"{own[-1].filename}, line {own[-1].lineno}"
    else:
        where = str(origin)
    lines = "".join(traceback.format_list(frames[frames.index(own[0]) :] if own else []))
    lines += "".join(traceback.format_exception_only(error))
    last = "\n".join(f"  {line}" for line in lines.rstrip().splitlines()[-TRACEBACK_LINES:])
    summary = " ".join(f"{type(error).__name__}: {getattr(error, 'msg', error)}".split())
    return UserError(f"{origin} does not import: {summary} ({where})", why=f"its traceback ends:\n{last}")


def _source_file(origin: Path | str) -> str | None:
    if isinstance(origin, Path):
        return str(origin.resolve())
    try:
        spec = find_spec(origin)
    except (ImportError, ValueError):
        return None
    return spec.origin if spec else None


def _module_classes(module: ModuleType) -> list[str]:
    """The names of the `nn.Module` classes that a module defines; empty when it has none."""
    torch = sys.modules.get("torch")
    if torch is None:
        return []
    defined = [(name, getattr(module, name)) for name in _definitions(module)]
    return [name for name, value in defined if isinstance(value, type) and issubclass(value, torch.nn.Module)]


def _definitions(module: ModuleType) -> list[str]:
    """The public names of the functions and classes that a module itself defines."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def _forget_siblings_elsewhere(folder: Path) -> None:
    """Let a script in `folder` import its own `utils` though another script imported one from another folder."""
    for name, home in list(_sibling_folders.items()):
        top = folder / name.partition(".")[0]
        if home != folder and (top.is_dir() or top.with_suffix(".py").is_file()):
            sys.modules.pop(name, None)
            del _sibling_folders[name]


def _remember_siblings(names: set[str], folder: Path) -> None:
    for name in names:
        file = getattr(sys.modules[name], "__file__", None)
        stem = folder.joinpath(*name.split("."))
        if file and Path(file) in (stem.with_suffix(".py"), stem / "__init__.py"):
            _sibling_folders[name] = folder
