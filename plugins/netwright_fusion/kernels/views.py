"""Views inside a kernel: which element of its source a view's element is."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import fx

from netwright_fusion.graph import arguments, dtype, shape
from netwright_fusion.kernels.index import STILL, Axis, Index, Position, Size, reshape
from netwright_fusion.kernels.operators import operator_name

RESHAPES = frozenset(["_unsafe_view", "flatten", "reshape", "unflatten", "view"])
VIEWS = RESHAPES | frozenset(
    {"expand", "expand_as", "permute", "select", "slice", "squeeze", "t", "transpose", "unsqueeze"}
)
"""Operators that `source_position` looks through; they compute nothing."""


def is_view(node: fx.Node) -> bool:
    """Whether a node only looks at its first argument in another way that a kernel can follow, whatever the sizes."""
    alone = len(node.all_input_nodes) == 1 or operator_name(node) == "expand_as"
    if operator_name(node) not in VIEWS or not alone:
        return False
    return dtype(node) == dtype(node.all_input_nodes[0])


def source_position(node: fx.Node, position: Position, size: Callable[[Any], Size]) -> Position | None:
    """Where in a view's source the element at `position` lies; None where this cannot be told.

    Args:
        size: How a dimension is written in the kernel.
    """
    given = arguments(node)
    source = given["self"]
    rank = len(shape(source))
    name = operator_name(node)
    if name in RESHAPES:
        return reshape(position, [size(each) for each in shape(node)], [size(each) for each in shape(source)])
    if name in ("expand", "expand_as"):
        return broadcast(position, [size(each) for each in shape(source)])
    if name == "unsqueeze":
        dim = given["dim"] % (rank + 1)
        return position[:dim] + position[dim + 1 :]
    if name == "squeeze":
        rest = iter(position)
        kept = _kept_by_squeeze(given, shape(source))
        return tuple(next(rest) if keep else STILL for keep in kept)
    if name == "t":
        return position[::-1]
    if name == "transpose":
        axes = list(position)
        first, second = given["dim0"] % rank, given["dim1"] % rank
        axes[first], axes[second] = axes[second], axes[first]
        return tuple(axes)
    if name == "permute":
        places = {dim % rank: axis for dim, axis in zip(given["dims"], position, strict=True)}
        return tuple(places[dim] for dim in range(rank))
    dim = given["dim"] % rank
    length = shape(source)[dim]
    if not isinstance(length, int):
        return None
    if name == "select":
        index = given["index"]
        return (*position[:dim], constant(index % length), *position[dim:]) if isinstance(index, int) else None
    start, step = given["start"] or 0, given["step"]
    if not isinstance(start, int) or not isinstance(step, int):
        return None
    start = min(max(start + length if start < 0 else start, 0), length)
    moved = position[dim].index.times(step).plus(constant(start).index)
    return (*position[:dim], Axis(size(length), moved), *position[dim + 1 :])


def constant(index: int) -> Axis:
    """An axis that always stands at one place."""
    return Axis(index + 1, Index(str(index)))


def broadcast(position: Position, sizes: Sequence[Size]) -> Position:
    """Where an operand of shape `sizes` stands when it is broadcast to the position's shape."""
    tail = position[len(position) - len(sizes) :]
    return tuple(STILL if size == 1 else axis for size, axis in zip(sizes, tail, strict=True))


def _kept_by_squeeze(given: dict[str, Any], sizes: Sequence[Any]) -> list[bool]:
    dims = given.get("dim")
    chosen = range(len(sizes)) if dims is None else [dims] if isinstance(dims, int) else dims
    gone = {
        dim % len(sizes) for dim in chosen if isinstance(sizes[dim % len(sizes)], int) and sizes[dim % len(sizes)] == 1
    }
    return [dim not in gone for dim in range(len(sizes))]
