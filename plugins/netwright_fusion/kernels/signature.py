"""What a kernel is given: its tensors, their sizes and strides, and how its launch wrapper comes by them."""

import keyword
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from netwright_fusion.graph import dtype, shape, size_hint, value
from netwright_fusion.kernels.index import Size, contiguous_strides, product

RESERVED = (
    frozenset(keyword.kwlist)
    | {"torch", "triton", "tl", "float", "int", "max", "min", "abs", "sum", "range", "program", "offsets", "mask"}
    | {"row", "rows", "column", "columns", "elements", "start", "losses", "parts"}
)
"""What means something else in a kernel or its wrapper."""
INSIDE = (
    {
        "depth",
        "depth_mask",
        "left",
        "right",
        "left_offsets",
        "left_mask",
        "right_offsets",
        "right_mask",
        "tile",
        "tiles",
    }
    | {"layer", "tap", "channel", "target", "maximum", "total", "picked", "loss", "weight", "sum_of_logits"}
    | {f"{word}_{axis}" for word in ("at", "first", "inside", "tap", "step", "phase", "last", "from") for axis in "zyx"}
)
"""What means something else in a kernel."""
FLOATS = frozenset({torch.float32, torch.float16, torch.bfloat16})
DTYPES = FLOATS | {torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool}
"""Element types that kernels read and write; float64 is left to PyTorch, whose functions are exact there."""


class Names:
    """Names that are given once each, without the numbers that tracing put behind them."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def give(self, wanted: str) -> str:
        """The name, or the next free one with a number behind it."""
        base = re.sub(r"\W", "_", re.sub(r"(_\d+)+$", "", wanted)).strip("_") or "value"
        base = f"{base}_value" if base in RESERVED else base
        base = f"value_{base}" if base[0].isdigit() else base
        name = base
        number = 2
        while name in self._taken:
            name = f"{base}_{number}"
            number += 1
        self._taken.add(name)
        return name


@dataclass(frozen=True)
class Operand:
    """A tensor that a kernel reads or writes."""

    node: fx.Node
    name: str
    """In the wrapper; the kernel has `{name}_pointer`."""
    sizes: tuple[Size, ...]
    strides: tuple[Size, ...]
    prepare: str = ""
    """What the wrapper does to an input first, such as "x.contiguous()"; how it makes an output of another shape than
    its node's."""


class Signature:
    """Tensors, sizes and strides by name, for one kernel and its wrapper."""

    def __init__(self) -> None:
        self.names = Names()
        """Of the wrapper's tensors and numbers."""
        self.local = Names(INSIDE)
        """Of the kernel's variables."""
        self.inputs: dict[fx.Node, Operand] = {}
        self.outputs: dict[fx.Node, Operand] = {}
        self._symbols: dict[str, str] = {}
        self._stride_names: dict[str, str] = {}

    def size(self, value: Any) -> Size:
        """How a size is written: a number, a name, or a product of those."""
        if isinstance(value, int):
            return value
        expression = value.node.expr
        if expression.is_Integer:
            return int(expression)
        factors = expression.as_ordered_factors() if expression.is_Mul else [expression]
        return product(int(each) if each.is_Integer else self._symbol(str(each)) for each in factors)

    def sizes(self, node: fx.Node) -> tuple[Size, ...]:
        """The sizes of a node's tensor."""
        return tuple(self.size(each) for each in shape(node))

    def input(self, node: fx.Node) -> Operand:
        """A tensor that goes in, by the layout that it had when it was captured."""
        if node not in self.inputs:
            name = self.names.give(str(node.target).rpartition(".")[2] if node.op == "get_attr" else node.name)
            sizes = self.sizes(node)
            order = memory_order(node)
            if order == tuple(range(len(sizes))):
                strides, prepare = contiguous_strides(sizes), f"{name}.contiguous()"
            elif order is not None:
                strides, prepare = _permuted_strides(sizes, order), _contiguous_in(name, order)
            else:
                strides, prepare = self._runtime_strides(node, name), ""
            self.inputs[node] = Operand(node, name, sizes, strides, prepare)
        return self.inputs[node]

    def output(self, node: fx.Node) -> Operand:
        """A tensor that comes out, laid out as PyTorch would have done it."""
        if node not in self.outputs:
            name = self.names.give("result")
            sizes = self.sizes(node)
            order = memory_order(node) or tuple(range(len(sizes)))
            self.outputs[node] = Operand(node, name, sizes, _permuted_strides(sizes, order))
        return self.outputs[node]

    def parameters(self, body: str) -> list[str]:
        """The kernel's run-time parameters: pointers, and what of sizes and strides its text uses."""
        pointers = [f"{operand.name}_pointer" for operand in [*self.inputs.values(), *self.outputs.values()]]
        scalars = [*self._symbols.values(), *self._stride_names]
        used = set(re.findall(r"\w+", body))
        return [name for name in [*pointers, *scalars] if name in used]

    def argument(self, parameter: str) -> str:
        """What the wrapper passes for one of `parameters`."""
        return self._stride_names.get(parameter, parameter.removesuffix("_pointer"))

    def prepare(self) -> list[str]:
        """The wrapper's first lines: layouts and sizes.

        Raises:
            LookupError: A size that depends on the batch in a way that no input shows.
        """
        lines = [f"{each.name} = {each.prepare}" for each in self.inputs.values() if each.prepare]
        for symbol, name in self._symbols.items():
            lines.append(f"{name} = {self._source_of(symbol)}")
        return lines

    def allocate(self) -> list[str]:
        """The wrapper's lines that make the outputs."""
        device = f"{next(iter(self.inputs.values())).name}.device"
        lines = []
        for operand in self.outputs.values():
            if operand.prepare:
                lines.append(f"{operand.name} = {operand.prepare}")
                continue
            order = memory_order(operand.node) or tuple(range(len(operand.sizes)))
            inside = ", ".join(str(operand.sizes[dim]) for dim in order)
            text = (
                f"torch.empty(({inside}{',' if len(order) == 1 else ''}), dtype={dtype(operand.node)}, device={device})"
            )
            if order != tuple(range(len(order))):
                back = ", ".join(str(order.index(dim)) for dim in range(len(order)))
                text += f".permute({back})"
            lines.append(f"{operand.name} = {text}")
        return lines

    def reach(self) -> str:
        """An upper bound, as text of the wrapper, of the offsets that the kernel computes."""
        whole = {operand.sizes: operand.name for operand in [*self.inputs.values(), *self.outputs.values()]}
        bounds = [f"{name}.numel()" for sizes, name in whole.items() if not isinstance(product(sizes), int)]
        known = max((int(product(sizes)) for sizes in whole if isinstance(product(sizes), int)), default=0)
        for operand in self.inputs.values():
            if not operand.prepare and operand.sizes:
                strides = [size_hint(each) for each in value(operand.node).stride()]
                outermost = strides.index(max(strides))
                bounds.append(f"{operand.name}.shape[{outermost}] * {operand.name}.stride({outermost})")
        if known >= 2**31 or not bounds:
            bounds.append(str(known))
        return bounds[0] if len(bounds) == 1 else f"max({', '.join(bounds)})"

    def _symbol(self, symbol: str) -> str:
        if symbol not in self._symbols:
            wanted = "batch" if not self._symbols else "length"
            self._symbols[symbol] = self._shared(wanted)
        return self._symbols[symbol]

    def _shared(self, wanted: str) -> str:
        """A name that means the same in wrapper and kernel."""
        while (name := self.names.give(wanted)) != self.local.give(name):
            pass
        return name

    def _source_of(self, symbol: str) -> str:
        for operand in self.inputs.values():
            for dim, size in enumerate(shape(operand.node)):
                if not isinstance(size, int) and str(size.node.expr) == symbol:
                    return f"{operand.name}.shape[{dim}]"
        raise LookupError(symbol)

    def _runtime_strides(self, node: fx.Node, name: str) -> tuple[Size, ...]:
        strides: list[Size] = []
        for dim, stride in enumerate(value(node).stride()):
            if isinstance(stride, int) and stride == 0:
                strides.append(0)
                continue
            parameter = self._shared(f"{name}_stride_{'abcdefgh'[dim]}")
            self._stride_names[parameter] = f"{name}.stride({dim})"
            strides.append(parameter)
        return tuple(strides)


def structure(node: fx.Node) -> tuple[int | str, ...]:
    """The sizes of a node's tensor, symbolic ones as text: two are equal only where they are so for every batch."""
    return tuple(size if isinstance(size, int) else str(size.node.expr) for size in shape(node))


def memory_order(node: fx.Node) -> tuple[int, ...] | None:
    """The dimensions from the slowest to the fastest in memory, where the tensor is dense; None where it has gaps."""
    sizes, strides = [size_hint(each) for each in shape(node)], [size_hint(each) for each in value(node).stride()]
    rank = len(sizes)
    if is_dense(sizes, strides, range(rank)):
        return tuple(range(rank))
    order = sorted(range(rank), key=lambda dim: (-strides[dim], dim))
    return tuple(order) if is_dense(sizes, strides, order) else None


def is_dense(sizes: Sequence[int], strides: Sequence[int], order: Iterable[int]) -> bool:
    """Whether dimensions, taken in this order, fill memory without gaps."""
    expected = 1
    for dim in reversed(list(order)):
        if sizes[dim] != 1 and strides[dim] != expected:
            return False
        expected *= sizes[dim]
    return True


def _permuted_strides(sizes: Sequence[Size], order: Sequence[int]) -> tuple[Size, ...]:
    inside = contiguous_strides([sizes[dim] for dim in order])
    return tuple(inside[list(order).index(dim)] for dim in range(len(sizes)))


def _contiguous_in(name: str, order: Sequence[int]) -> str:
    """Text that makes a tensor dense in another order of dimensions; nothing is copied where it is already."""
    there = ", ".join(map(str, order))
    back = ", ".join(str(list(order).index(dim)) for dim in range(len(order)))
    return f"{name}.permute({there}).contiguous().permute({back})"
