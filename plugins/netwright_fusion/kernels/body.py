"""The inside of a kernel: loads and computations of a region's nodes at given positions, in reading order."""

from collections.abc import Callable
from typing import Any

import torch
from torch import fx

from netwright_fusion.graph import arguments, dtype, is_random, is_tensor, shape, value
from netwright_fusion.kernels.elementwise import CONDITIONS, HELPERS, NEEDS, OPERATORS, SAME, literal
from netwright_fusion.kernels.index import STILL, Axis, Index, Position, offset
from netwright_fusion.kernels.operators import operator_name, source_of
from netwright_fusion.kernels.region import Region
from netwright_fusion.kernels.signature import DTYPES, FLOATS, Operand, Signature
from netwright_fusion.kernels.template import UnsupportedError
from netwright_fusion.kernels.views import broadcast, is_view, source_position

INTEGERS = {
    torch.int64: "tl.int64", torch.int32: "tl.int32", torch.int16: "tl.int16", torch.int8: "tl.int8",
    torch.uint8: "tl.uint8", torch.bool: "tl.int1",
}  # fmt: skip

MOVES = frozenset({"cat", "glu"})
"""Elementwise operators that read elsewhere than they write: only a kernel without rows or windows can take them in."""
LONG = 48
"""Characters from which on an offset gets a line of its own."""


def computing_type(kind: torch.dtype) -> str:
    """The type in which a kernel computes with elements of a type: float32 for all floating-point types."""
    return "tl.float32" if kind in FLOATS else INTEGERS[kind]


def is_elementwise(node: fx.Node) -> bool:
    """Whether a kernel can compute a node element by element."""
    if not is_tensor(node) or dtype(node) not in DTYPES:
        return False
    if any(not is_tensor(source) or dtype(source) not in DTYPES for source in node.all_input_nodes):
        return False
    if any(value(source).device != value(node).device for source in node.all_input_nodes):
        return False
    name = operator_name(node)
    if name in SAME:
        return not is_random(node)
    if name == "batch_norm":
        return not arguments(node)["training"] and arguments(node)["running_mean"] is not None and _by_channel(node)
    if name == "prelu":
        return _by_channel(node)
    if name == "glu":
        return isinstance(shape(source_of(node))[arguments(node)["dim"]], int)
    if name == "cat":
        parts, dim = arguments(node)["tensors"], arguments(node)["dim"]
        return all(len(shape(part)) == len(shape(node)) and isinstance(shape(part)[dim], int) for part in parts)
    if name in ("max", "min") and "other" not in arguments(node):
        return False
    if dtype(node) == torch.bool and name in OPERATORS and OPERATORS[name].kind == "same" and "bitwise" not in name:
        return False
    return name in OPERATORS and _text(node, lambda source: source.name) is not None


class Body:
    """Loads and computations for a region, each written once.

    Args:
        signature: Names of the kernel's tensors.
        region: What is computed here; everything else is loaded.
    """

    def __init__(self, signature: Signature, region: Region) -> None:
        self.signature = signature
        self.region = region
        self.offsets: list[str] = []
        self.masks: list[str] = []
        self.loads: list[str] = []
        self.computes: list[str] = []
        self.helpers: set[str] = set()
        self._hoisted: dict[str, Index] = {}
        self.values: dict[tuple[fx.Node, Position], str] = {}
        self.made: dict[fx.Node, tuple[Position, str]] = {}
        """Nodes that are computed otherwise, at one position, and their variables."""

    def value(self, node: fx.Node, position: Position) -> str:
        """The name of the variable that holds a node's element at a position.

        Raises:
            UnsupportedError: It cannot be told where in memory that is.
        """
        key = (node, position)
        if node in self.made:
            there, name = self.made[node]
            if position not in (there, broadcast(there, self.signature.sizes(node))):
                raise UnsupportedError(f"'{node.name}' is needed elsewhere than where it is made")
            return name
        if key not in self.values:
            make = self.compute if node in self.region.members else self.load
            self.values[key] = make(node, position)
        return self.values[key]

    def converted(self, node: fx.Node, position: Position, wanted: str) -> str:
        """`value`, in another type if need be."""
        text = self.value(node, position)
        return text if computing_type(dtype(node)) == wanted else f"{text}.to({wanted})"

    def load(self, node: fx.Node, position: Position) -> str:
        """Read a tensor's elements."""
        operand = self.signature.input(node)
        name = self.signature.local.give(operand.name)
        where = self._shortened(operand, offset(position, operand.strides, self.hoist))
        text = load_text(operand, where)
        self.loads.append(f"{name} = {text}")
        return name

    def compute(self, node: fx.Node, position: Position) -> str:
        """Compute a node's elements from those of its arguments; what subclasses add to."""
        if is_view(node):
            inner = source_position(node, position, self.signature.size)
            if inner is None:
                raise UnsupportedError(f"'{node.name}' shows its source in a way that a kernel cannot follow")
            return self.value(arguments(node)["self"], inner)
        if operator_name(node) == "cat":
            return self._cat(node, position)
        if operator_name(node) == "glu":
            return self._gated(node, position)
        if operator_name(node) in SAME:
            return self._convert(node, position)
        if operator_name(node) in ("batch_norm", "prelu"):
            return self._by_channel(node, position)

        def operand(source: fx.Node) -> str:
            return self._operand(node, source, broadcast(position, self.signature.sizes(source)))

        text = _text(node, operand)
        if text is None:
            raise UnsupportedError(f"'{node.name}' has no text in a kernel")
        return self.assign(node, text)

    def assign(self, node: fx.Node, text: str) -> str:
        """A new variable, named after a node."""
        name = self.signature.local.give(node.name)
        self.computes.append(f"{name} = {text}")
        self.need(text)
        return name

    def hoist(self, index: Index) -> Index:
        """An index by name: that of a variable which holds it."""
        if index.text.isidentifier() or index.text.isdigit():
            return index
        if index.text not in self._hoisted:
            name = self.signature.local.give("index")
            self.offsets.append(f"{name} = {index.text}")
            self._hoisted[index.text] = Index(name, index.masks)
        return self._hoisted[index.text]

    def _shortened(self, operand: Operand, where: Index) -> Index:
        """A long offset by a name of its own."""
        if len(where.text) <= LONG:
            return where
        name = self.signature.local.give(f"{operand.name}_offsets")
        self.offsets.append(f"{name} = {where.text}")
        return Index(name, where.masks)

    def store(self, node: fx.Node, position: Position, text: str, masks: frozenset[str] = frozenset()) -> str:
        """The statement that writes an output at a position."""
        operand = self.signature.output(node)
        where = self._shortened(operand, offset(position, operand.strides, self.hoist))
        pointer = _pointer(operand, where)
        every = where.masks | masks
        masked = f", mask={' & '.join(sorted(every))}" if every else ""
        return f"tl.store({pointer}, {text}{masked})"

    def need(self, text: str) -> None:
        """Take note of the helpers that a text calls."""
        waiting = [helper for helper in HELPERS if f"{helper}(" in text]
        while waiting:
            helper = waiting.pop()
            self.helpers.add(helper)
            waiting += NEEDS.get(helper, ())

    def _operand(self, node: fx.Node, source: fx.Node, position: Position) -> str:
        name = operator_name(node)
        kind = OPERATORS[name].kind
        wanted = computing_type(dtype(node))
        if kind == "logical" or (kind == "choose" and source in _conditions(node)):
            if dtype(source) == torch.bool:
                return self.value(source, position)
            return f"({self.value(source, position)} != 0)"
        if kind == "compare":
            wanted = computing_type(_common_type(node))
        elif kind == "float":
            wanted = "tl.float32"
        return self.converted(source, position, wanted)

    def _convert(self, node: fx.Node, position: Position) -> str:
        source = source_of(node)
        text = self.value(source, position)
        before, after = dtype(source), dtype(node)
        if before == after or (after == torch.float32 and before in FLOATS):
            return text
        if after == torch.bool:
            return self.assign(node, f"{text} != 0")
        if after in FLOATS:
            narrow = "" if after == torch.float32 else f".to(tl.{str(after).rpartition('.')[2]})"
            return self.assign(node, f"{text}{narrow}.to(tl.float32)")
        return self.assign(node, f"{text}.to({computing_type(after)})")

    def _by_channel(self, node: fx.Node, position: Position) -> str:
        """Operators with parameters per channel, which is the second dimension."""
        given = arguments(node)
        x = self.value(source_of(node), position)
        of = {
            name: self.value(each, position[1:2] if shape(each) != (1,) else (STILL,))
            for name, each in given.items()
            if name not in ("self", "input") and isinstance(each, fx.Node)
        }
        if operator_name(node) == "prelu":
            return self.assign(node, f"tl.where({x} > 0.0, {x}, {of['weight']} * {x})")
        text = f"({x} - {of['running_mean']}) / tl.sqrt({of['running_var']} + {literal(float(given['eps']))})"
        for name, sign in (("weight", "*"), ("bias", "+")):
            text = f"{text} {sign} {of[name]}" if name in of else text
        return self.assign(node, text)

    def _gated(self, node: fx.Node, position: Position) -> str:
        """One half times the sigmoid of the other one."""
        source, dim = source_of(node), arguments(node)["dim"] % len(position)
        half = int(shape(node)[dim])
        first = self.hoist(position[dim].index)
        second = self.hoist(first.plus(Index(str(half))))
        value, gate = (
            self.value(source, (*position[:dim], Axis(2 * half, index), *position[dim + 1 :]))
            for index in (first, second)
        )
        return self.assign(node, f"{value} / (1.0 + tl.exp(-{gate}))")

    def _cat(self, node: fx.Node, position: Position) -> str:
        given = arguments(node)
        dim = given["dim"] % len(position)
        index = self.hoist(position[dim].index)
        result, start = "", 0
        if len(given["tensors"]) == 1:
            return self.value(given["tensors"][0], position)
        for part in given["tensors"]:
            length = shape(part)[dim]
            inside = self.signature.local.give("inside")
            bounds = [f"{index.text} >= {start}"] if start else []
            bounds += [f"{index.text} < {start + length}"] if part is not given["tensors"][-1] else []
            self.masks.append(f"{inside} = {bounds[0] if len(bounds) == 1 else f'({bounds[0]}) & ({bounds[1]})'}")
            moved = index.minus(start)
            axis = Axis(length, Index(moved.text, moved.masks | {inside}))
            text = self.converted(part, (*position[:dim], axis, *position[dim + 1 :]), computing_type(dtype(node)))
            result = f"tl.where({inside}, {text}, {result})" if result else text
            start += length
        return self.assign(node, result)


def load_text(operand: Operand, where: Index, *, raw: bool = False) -> str:
    """The text that reads an operand, in the type that is computed in.

    Args:
        raw: In its own type instead, for products of narrow types.
    """
    kind = dtype(operand.node)
    pointer = _pointer(operand, where)
    other = "0.0" if kind in FLOATS else "0"
    masked = f", mask={' & '.join(sorted(where.masks))}, other={other}" if where.masks else ""
    wider = ".to(tl.float32)" if kind in FLOATS and kind != torch.float32 and not raw else ""
    if kind == torch.bool:
        wider = ".to(tl.int1)"
    return f"tl.load({pointer}{masked}){wider}"


def _pointer(operand: Operand, where: Index) -> str:
    return f"{operand.name}_pointer" if where.zero else f"{operand.name}_pointer + {where.text}"


def _text(node: fx.Node, operand: Callable[[fx.Node], str]) -> str | None:
    """An elementwise operator's text, its tensors written by `operand`; None where it has none."""
    given: dict[str, Any] = {}
    expression = OPERATORS[operator_name(node)]
    floating = dtype(node) in FLOATS or expression.kind in ("float", "compare")
    for name, argument in arguments(node).items():
        if isinstance(argument, fx.Node):
            given[name] = operand(argument)
        elif name in ("self", "other", "weight", "end") and isinstance(argument, (int, float)):
            given[name] = literal(float(argument) if floating and dtype(node) in FLOATS else argument)
        elif name == "value" and expression.kind == "choose":
            given[name] = literal(float(argument) if floating else argument)
        elif name in ("min", "max", "alpha") and isinstance(argument, (int, float)) and dtype(node) in FLOATS:
            given[name] = float(argument)
        else:
            given[name] = argument
    if expression.kind == "float" and dtype(node) not in FLOATS:
        return None
    if given.get("self") is None and "self" in given:
        return None
    return expression.text(given)


def _by_channel(node: fx.Node) -> bool:
    """Whether a node has channels in its second dimension, and floating-point parameters for each."""
    parameters = [each for each in node.all_input_nodes if each is not source_of(node)]
    return len(shape(node)) >= 2 and all(dtype(each) in FLOATS and len(shape(each)) == 1 for each in parameters)


def _conditions(node: fx.Node) -> list[Any]:
    return [argument for name, argument in arguments(node).items() if name in CONDITIONS]


def _common_type(node: fx.Node) -> torch.dtype:
    """The type in which a comparison compares."""
    operands = [given for name, given in arguments(node).items() if name in ("self", "other")]
    fakes = [each.meta["val"] if isinstance(each, fx.Node) else each for each in operands]
    return torch.result_type(*fakes)
