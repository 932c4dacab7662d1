"""The three forms of a program to cage: a command line, Python source, or a function by reference."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from netwright.errors import UserError
from netwright.sandbox.reach import import_path, is_narrow

CALL_FILE = "call.json"
RESULT_FILE = "result.json"
SOURCE_FILE = "source.py"
VALUE_LIMIT = 64 << 20


@dataclass(frozen=True)
class Source:
    """The text of a Python program; it finds what this process can import, and the workspace's own modules."""

    text: str


@dataclass(frozen=True)
class Function:
    """A function by reference.

    Attributes:
        target: "package.module:function" or "path/to/file.py:function".
        arguments: Its keyword arguments; it must return a JSON value too.
    """

    target: str
    arguments: Mapping[str, JsonValue] = field(default_factory=dict)

    @property
    def file(self) -> Path | None:
        """The Python file that it lies in, if the target names one."""
        origin = self.target.rpartition(":")[0]
        return Path(origin).resolve() if origin.endswith(".py") else None


Command = list[str] | Source | Function


def prepare(command: Command, workspace: Path, temporary: Path) -> tuple[list[str], dict[str, str], list[Path]]:
    """The command line, the variables and the readable paths that a program needs; its files go into `temporary`.

    Raises:
        UserError: A function's file does not exist, or its arguments are no JSON values.
    """
    if isinstance(command, list):
        return command, {}, []
    variables = python_variables(workspace)
    if isinstance(command, Source):
        script = temporary / SOURCE_FILE
        script.write_text(command.text, encoding="utf-8")
        return [sys.executable, "-P", str(script)], variables, []
    target, readable = command.target, list[Path]()
    if command.file is not None:
        if not command.file.is_file():
            raise UserError(f"cannot read {command.file}", why="no such file")
        target = f"{command.file}:{target.rpartition(':')[2]}"
        readable = [command.file.parent if is_narrow(command.file.parent) else command.file]
    try:
        text = json.dumps({"target": target, "arguments": dict(command.arguments)}, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UserError(f"the arguments of {command.target} are no JSON values", why=str(error)) from None
    (temporary / CALL_FILE).write_text(text, encoding="utf-8")
    script = Path(__file__).with_name("call.py")  # as a script it does without what this package imports
    return (
        [sys.executable, "-P", str(script), *(str(temporary / name) for name in (CALL_FILE, RESULT_FILE))],
        variables,
        readable,
    )


def python_variables(workspace: Path) -> dict[str, str]:
    """The variables with which a caged interpreter finds what this one does, and last the workspace's own modules."""
    return {"PYTHONPATH": os.pathsep.join([*import_path(), str(workspace)])}
