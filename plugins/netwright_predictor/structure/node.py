"""One module of a model's structure: what the text shows of it, as data."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from netwright_predictor.structure.arguments import Value, named_arguments

INDENT = "  "


@dataclass(frozen=True)
class StructureNode:
    """A module, or several equal ones in a row.

    Attributes:
        name: Its name in its parent, "" for the model itself; of several, the first and the last: "0-31".
        class_path: Its class with the module that defines it; of the model itself, the plain name.
        arguments: What the text shows in its parentheses beside its children, line by line.
        repeat: How many equal modules it stands for.
    """

    name: str
    class_path: str
    arguments: str = ""
    children: tuple["StructureNode", ...] = ()
    repeat: int = 1

    @property
    def class_name(self) -> str:
        """The plain name of the class."""
        return self.class_path.rpartition(".")[2]

    @cached_property
    def values(self) -> dict[str, Value]:
        """The arguments by name; shapes of parameters as tuples. Positional ones of unknown classes are left out."""
        return named_arguments(self.class_name, self.arguments)

    def walk(self, prefix: str = "", times: int = 1) -> Iterator[tuple[str, "StructureNode", int]]:
        """Every node with its path ("" for this one) and how many modules of the model it stands for."""
        yield prefix, self, times
        for child in self.children:
            yield from child.walk(f"{prefix}.{child.name}" if prefix else child.name, times * child.repeat)

    def find(self, path: str) -> "StructureNode | None":
        """The node at a path, "layers.0-31.mlp" or of a single module, "layers.7.mlp"; None where there is none."""
        if not path:
            return self
        name, _, rest = path.partition(".")
        for child in self.children:
            if child.name == name or (child.repeat > 1 and _within(name, child.name)):
                return child.find(rest)
        return None

    def render(self) -> str:
        """The text, as `parse_structure` reads it."""
        return "\n".join(self._lines(""))

    def _lines(self, opening: str) -> Iterator[str]:
        start = f"{opening}{self.class_path}("
        own = self.arguments.splitlines()
        if not self.children and len(own) <= 1:
            yield f"{start}{self.arguments})"
            return
        yield start
        for line in own:
            yield INDENT + line
        for child in self.children:
            times = f"{child.repeat} x " if child.repeat > 1 else ""
            for line in child._lines(f"({child.name}): {times}"):
                yield INDENT + line
        yield ")"


def _within(name: str, span: str) -> bool:
    first, _, last = span.partition("-")
    return name.isdecimal() and first.isdecimal() and last.isdecimal() and int(first) <= int(name) <= int(last)
