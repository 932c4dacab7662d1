"""Reading a structure text back, whether netwright wrote it, PyTorch did, or a user pasted it."""

import re
from dataclasses import dataclass, field
from functools import lru_cache

from netwright.errors import UserError
from netwright_predictor.structure.node import StructureNode

CHILD = re.compile(r"\((?P<name>.+?)\): (?:(?P<repeat>\d+) x )?(?P<class>[^\s(]+)\((?P<arguments>.*)")
ABSENT = re.compile(r"\((.+?)\): None")
ROOT = re.compile(r"(?P<class>[^\s()=,:]+)\((?P<arguments>.*)")


@dataclass
class _Open:
    """A module whose closing parenthesis has not come yet."""

    line: int
    name: str
    class_path: str
    repeat: int
    arguments: list[str] = field(default_factory=list)
    children: list[StructureNode] = field(default_factory=list)

    def close(self) -> StructureNode:
        return StructureNode(
            self.name, self.class_path, "\n".join(self.arguments), tuple(self.children), repeat=self.repeat
        )


def reads_as_module(line: str) -> bool:
    """Whether a line of arguments would be taken for a module, or for the end of one."""
    line = line.strip()
    return line == ")" or bool(CHILD.fullmatch(line) or ABSENT.fullmatch(line))


@lru_cache(maxsize=32)
def parse_structure(text: str) -> StructureNode:
    """The tree that a structure text shows; indentation does not matter, line ends do.

    Raises:
        UserError: It is none; the message names the line.
    """
    opened: list[_Open] = []
    root: StructureNode | None = None
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line:
            continue
        if root is not None:
            raise _unreadable(number, line, "the model is already closed")
        if line == ")" and opened:
            node = opened.pop().close()
        elif (match := (CHILD if opened else ROOT).fullmatch(line)) is not None:
            arguments = match["arguments"]
            entry = _Open(number, match.groupdict().get("name") or "", match["class"], _repeat(match))
            if not line.endswith(")"):
                if arguments:
                    raise _unreadable(number, line, "the line does not end with ')'")
                opened.append(entry)
                continue
            arguments = arguments.removesuffix(")")
            entry.arguments += [arguments] if arguments else []
            node = entry.close()
        elif opened:
            if ABSENT.fullmatch(line) is None:
                opened[-1].arguments.append(line)
            continue
        else:
            raise _unreadable(number, line, "it opens no module")
        if opened:
            opened[-1].children.append(node)
        else:
            root = node
    if opened:
        raise UserError(
            f"the model structure ends too early: '{opened[-1].class_path}' of line {opened[-1].line} is not closed",
            remedy="paste the whole text",
        )
    if root is None:
        raise UserError("the model structure is empty")
    return root


def _repeat(match: re.Match[str]) -> int:
    return int(match.groupdict().get("repeat") or 1)


def _unreadable(number: int, line: str, why: str) -> UserError:
    return UserError(f"line {number} of the model structure cannot be read: {line[:80]}", why=why)
