"""Names for intermediate values: one is used again once its value is not needed any more, as a person would."""

import builtins
import keyword
import re
from collections.abc import Collection, Iterable, Mapping

from torch import Tensor, fx

from netwright_fusion.graph import operator_name

PLAIN = {
    "_to_copy": "cast",
    "convolution_by_tiles": "convolution",
    "lift_fresh_copy": "constant",
    "t": "transposed",
    "tile_weights": "weights",
}


class Variables:
    """Gives every node of a straight-line program a name.

    Args:
        program: The nodes in the order in which they are computed.
        fixed: Nodes whose text is given, such as `self.fc.weight`; those are never assigned to.
        placeholders: The arguments' names, which may be assigned to once their values are not needed any more.
        forbidden: Names that mean something else.
        ends: Nodes whose values are needed to the end.
    """

    def __init__(
        self,
        program: Iterable[fx.Node],
        fixed: Mapping[fx.Node, str],
        placeholders: Mapping[fx.Node, str],
        forbidden: Collection[str],
        ends: Collection[fx.Node],
    ) -> None:
        self._fixed = fixed
        self._taken = {*forbidden, *placeholders.values(), *keyword.kwlist, *dir(builtins)}
        self._names = dict(placeholders)
        self._last_use: dict[fx.Node, fx.Node | None] = dict.fromkeys(ends)
        for node in reversed(list(program)):
            for source in node.all_input_nodes:
                self._last_use.setdefault(source, node)
        self._free_at: dict[str, fx.Node] = {}

    def __getitem__(self, node: fx.Node) -> str:
        """The text that stands for a node that has been named."""
        return self._fixed.get(node) or self._names[node]

    def dies_at(self, node: fx.Node, user: fx.Node) -> bool:
        """Whether `user` is the last that needs a node's value."""
        return self._last_use.get(node, node) is user

    def name(self, node: fx.Node) -> str:
        """The name to assign a node's value to: that of its first argument, where that is not needed any more."""
        for source in node.all_input_nodes:
            if source in self._names and self.dies_at(source, node) and _alike(source, node):
                name = self._names[source]
                if name.isidentifier():
                    self._names[node] = name
                    return name
        return self._new(node, _stem(node))

    def alias(self, node: fx.Node, text: str) -> None:
        """Let an expression stand for a node's value wherever it is used."""
        self._names[node] = text

    def _new(self, node: fx.Node, stem: str) -> str:
        name, number = stem, 2
        while name in self._taken:
            name, number = f"{stem}_{number}", number + 1
        self._taken.add(name)
        self._names[node] = name
        return name


def _alike(source: fx.Node, node: fx.Node) -> bool:
    return isinstance(source.meta.get("val"), Tensor) and isinstance(node.meta.get("val"), Tensor)


def _stem(node: fx.Node) -> str:
    """What a new value is called: after the layer that makes it, or else the operator."""
    stack = [str(place) for place, _ in (node.meta.get("nn_module_stack") or {}).values()]
    if len(stack) > 1 and operator_name(node) in ("linear", "conv1d", "conv2d", "conv3d"):
        inside = stack[-1] if operator_name(node) == "linear" else stack[-2] or stack[-1]
        *_, before, last = ["", *inside.split(".")]
        stem = f"{before}_{last}" if last.isdigit() else last
        if len(stem) > 1 and stem.isidentifier() and stem[0] != "_" and not keyword.iskeyword(stem):
            return stem
    if operator_name(node) == "getitem":
        return "part"
    if "kernel" not in node.meta and any(_alike(source, node) for source in node.all_input_nodes):
        return "h"
    kernel = node.meta.get("kernel")
    name = kernel.family if kernel is not None else operator_name(node)
    plain = re.sub(r"\W", "_", PLAIN.get(name, name)).strip("_")
    return plain if plain.isidentifier() else "value"
