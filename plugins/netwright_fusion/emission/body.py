"""The lines of a straight-line program: one assignment per node, with comments where a reader needs them."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx

from netwright_fusion.emission.literal import Literals
from netwright_fusion.emission.operators import Writer
from netwright_fusion.emission.variables import Variables
from netwright_fusion.graph import elements, is_random, operator_name, written

COMMENT_WIDTH = 112
COMPOSED = ("EncoderLayer", "DecoderLayer", "Encoder", "Decoder", "MultiheadAttention", "Sequential", "ModuleList")
"""Modules of torch.nn that are made of others."""
LARGE_BYTES = 1 << 20
"""What takes more memory than this is let go of as soon as nothing needs it."""


class Body:
    """Writes programs of a graph.

    Args:
        variables: Names of everything that the program refers to.
        device: The text for the device that new tensors are made on.
        sizes: Per symbolic size (its expression), the text for it.
        lets_go: Whether large values that nothing needs any more are deleted, which compilers do by themselves.
    """

    def __init__(self, variables: Variables, device: str, sizes: dict[str, str], *, lets_go: bool = False) -> None:
        self._variables = variables
        self._sizes = sizes
        self._lets_go = lets_go
        self._writer = Writer(Literals(variables.__getitem__, self._size, device))
        self._device_of = device.removesuffix(".device")
        self._last_on_device: fx.Node | None = None
        self._place = ""

    def lines(self, program: Sequence[fx.Node], unpacked: Mapping[fx.Node, Sequence[fx.Node]]) -> list[str]:
        """The statements of a program.

        Args:
            unpacked: Per node that yields several values, the nodes that take them apart, in order.

        Raises:
            EmissionError: A node has an argument that cannot be written down.
        """
        lines: list[str] = []
        self._last_on_device = next((node for node in reversed(program) if _names_device(node)), None)
        for node in program:
            if node.op != "call_function" or any(node in parts for parts in unpacked.values()):
                continue
            lines += self._comments(node)
            lines += [part for line in self._statement(node, unpacked.get(node, ())) for part in folded(line)]
        return lines

    def text(self, value: Any) -> str:
        """The text of a value that the program ends with."""
        return self._writer.text(value)

    def _statement(self, node: fx.Node, parts: Sequence[fx.Node]) -> list[str]:
        if _is_size(node):
            return self._size_statement(node)
        expression = self._writer.expression(node)
        if not node.users:
            return [expression] if written(node) or is_random(node) else []
        dead = self._dead(node)
        names = [self._variables.name(each) if each.users else "_" for each in parts] or [self._variables.name(node)]
        lines = [f"{', '.join(names)}{',' if len(parts) == 1 else ''} = {expression}"]
        gone = [name for name in dead if name not in names]
        return [*lines, f"del {', '.join(gone)}"] if gone else lines

    def _dead(self, node: fx.Node) -> list[str]:
        """Names of large values that this node is the last to use."""
        if not self._lets_go:
            return []
        return [
            self._variables[source]
            for source in dict.fromkeys(node.all_input_nodes)
            if source.op == "call_function"
            and isinstance(source.meta.get("val"), Tensor)
            and self._variables.dies_at(source, node)
            and elements(source) * source.meta["val"].element_size() >= LARGE_BYTES
            and self._variables[source].isidentifier()
            and not (self._variables[source] == self._device_of and self._makes_more_after(node))
        ]

    def _makes_more_after(self, node: fx.Node) -> bool:
        """Whether a later call makes a tensor, for which the name that the device is read from must still stand."""
        return self._last_on_device is not None and node < self._last_on_device

    def _size_statement(self, node: fx.Node) -> list[str]:
        """Sizes are written where they are used, and kept in a name where the tensor that has them may be gone."""
        key = str(node.meta["val"].node.expr) if hasattr(node.meta["val"], "node") else ""
        if key in self._sizes:
            self._variables.alias(node, self._sizes[key])
            return []
        expression = self._writer.expression(node)
        name = self._variables.name(node)
        if key:
            self._sizes[key] = name
        return [f"{name} = {expression}"]

    def _size(self, size: Any) -> str:
        expression = size.node.expr
        if str(expression) in self._sizes:
            return self._sizes[str(expression)]
        text = str(expression)
        for symbol in sorted(expression.free_symbols, key=str, reverse=True):
            text = text.replace(str(symbol), self._sizes[str(symbol)])
        return text

    def _comments(self, node: fx.Node) -> list[str]:
        place = _module_of(node)
        lines = [f"# {place}"] if place and place != self._place else []
        self._place = place or self._place
        note = node.meta.get("comment")
        if note:
            lines += textwrap.wrap(str(note), COMMENT_WIDTH, initial_indent="# ", subsequent_indent="# ")
        return lines


def folded(line: str) -> list[str]:
    """A statement on as many lines as it takes, where it is one call and too long."""
    opening = line.find("(")
    if len(line) <= COMMENT_WIDTH or opening < 0 or not _closes_at_end(line[opening:]):
        return [line]
    inner = textwrap.wrap(line[opening + 1 : -1], COMMENT_WIDTH - 4, break_long_words=False, break_on_hyphens=False)
    return [line[: opening + 1], *(f"    {part}" for part in inner), ")"]


def _closes_at_end(text: str) -> bool:
    """Whether the parenthesis that a text begins with is closed by its last character."""
    depth = 0
    for number, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return number == len(text) - 1
    return False


def unpackings(program: Sequence[fx.Node]) -> dict[fx.Node, list[fx.Node]]:
    """The nodes of several values that are taken apart by nothing but one `getitem` per value."""
    found = {}
    for node in program:
        value = node.meta.get("val")
        if node.op != "call_function" or not isinstance(value, (tuple, list)) or not node.users:
            continue
        parts = [user for user in node.users if operator_name(user) == "getitem"]
        numbers = [user.args[1] for user in parts]
        if len(parts) == len(node.users) and len(set(numbers)) == len(value) == len(numbers):
            found[node] = sorted(parts, key=lambda part: int(part.args[1]))  # type: ignore[arg-type]
    return found


def _is_size(node: fx.Node) -> bool:
    return not isinstance(node.meta.get("val"), (Tensor, tuple, list))


def _names_device(node: fx.Node) -> bool:
    return any(isinstance(value, torch.device) for value in (*node.args, *node.kwargs.values()))


def _module_of(node: fx.Node) -> str:
    """The submodule in whose forward a node was computed, one that has parts of its own."""
    stack = [(str(place), str(kind)) for place, kind in (node.meta.get("nn_module_stack") or {}).values()]
    if len(stack) < 2:
        return ""
    is_layer = stack[-1][1].startswith("torch.nn.modules") and not stack[-1][1].endswith(COMPOSED)
    if not is_layer:
        return stack[-1][0]
    return stack[-2][0] if len(stack) > 2 else ""
