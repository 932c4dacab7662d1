"""Where a case's module comes from: the text of its class where that stands alone, else the module to write out."""

import ast
import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from netwright.cases import Case
from netwright.cases.constants import constant_names, override_constants
from netwright.cases.script import ScriptOptions
from netwright.cases.source import sibling_checksums
from netwright.loading import parse_script


@dataclass(frozen=True)
class Origin:
    """What a generated module stands for.

    Attributes:
        case: The case's name.
        module: The module, in its mode; its weights do not matter.
        text: The source of the class, whole, constants overridden; None where it does not stand alone.
        init_args: The constructor's arguments, `init_kwargs` besides.
    """

    case: str
    module: nn.Module
    text: str | None = None
    init_args: tuple[Any, ...] = ()
    init_kwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def class_name(self) -> str:
        """The name of the module's class."""
        return type(self.module).__name__


def origin_of(case: Case, module: nn.Module) -> Origin:
    """The origin of a case.

    Args:
        module: The case's module, built and in its mode.

    Raises:
        UserError: The file of its class is gone or is not Python any more.
    """
    return Origin(
        case=case.name,
        module=module,
        text=_own_text(case, module),
        init_args=case.init_args,
        init_kwargs=case.init_kwargs,
    )


def _own_text(case: Case, module: nn.Module) -> str | None:
    """The text of a script that defines the module's class by itself, or None."""
    home = sys.modules.get(type(module).__module__)
    file = getattr(home, "__file__", None)
    if file is None or not type(module).__module__.startswith("netwright_script_"):
        return None
    path = Path(file)
    tree = parse_script(path)
    if sibling_checksums(path, tree) or not hasattr(home, type(module).__name__):
        return None
    text = _without_main(path.read_text(encoding="utf-8"), tree)
    return _with_constants(text, _constants_of(case, tree)) if _is_script(case) else text


def _is_script(case: Case) -> bool:
    """Whether the options' constants are those of the file, rather than of the constructor."""
    parameters = inspect.signature(case.module_class()).parameters if case.module_class else {}
    given = set(case.options.constants or {})
    return not (case.folder and (case.folder / "manifest.yaml").is_file() and given <= {*parameters, "batch_size"})


def _constants_of(case: Case, tree: ast.Module) -> dict[str, Any]:
    known = constant_names(tree)
    given = case.options.constants or {}
    return {name: value for name, value in given.items() if name in known or name not in ScriptOptions.model_fields}


def _with_constants(text: str, overrides: Mapping[str, Any]) -> str:
    """The text with other values in the assignments of its top-level constants, and nothing else changed."""
    if not overrides:
        return text
    tree = ast.parse(text)
    new = override_constants(tree, overrides, "the source")
    unchanged = {id(statement) for statement in new.body}
    lines: list[str | None] = list(text.splitlines())
    for statement in tree.body:
        added = [ast.unparse(each) for each in new.body if each not in tree.body and each.lineno == statement.lineno]
        if not added:
            continue
        last = statement.end_lineno or statement.lineno
        if id(statement) in unchanged:
            lines[last - 1] = "\n".join([str(lines[last - 1]), *added])
        else:
            lines[statement.lineno - 1 : last] = ["\n".join(added), *[None] * (last - statement.lineno)]
    return "\n".join(line for line in lines if line is not None) + "\n"


def _without_main(text: str, tree: ast.Module) -> str:
    """The text without what it does when it is run as a program."""
    lines: list[str | None] = list(text.splitlines())
    for statement in tree.body:
        if isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test):
            first, last = statement.lineno, statement.end_lineno or statement.lineno
            lines[first - 1 : last] = [None] * (last - first + 1)
    return "\n".join(line for line in lines if line is not None).rstrip() + "\n"
