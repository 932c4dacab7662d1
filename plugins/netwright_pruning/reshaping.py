"""Reshaping: labels of dimensions that are merged and split."""

from math import prod

import numpy as np

from netwright_pruning.heads import HEAD_COUNTS, HEAD_WIDTHS, numbers
from netwright_pruning.labels import Axis
from netwright_pruning.tracing import Tracer


def reshape(tracer: Tracer, axes: list[Axis], shape: list[int]) -> list[Axis]:
    """The axes of a tensor with `axes` after a change of its shape.

    Dimensions that are merged keep the labels of one of them; a dimension that is split keeps them where they depend on
    one of the parts alone, and otherwise one part is chosen along which channels can go from all of it at once.
    """
    if 0 in shape:
        return [np.zeros(size, np.int64) for size in shape]
    found: list[Axis] = []
    left = list(axes)
    right = list(shape)
    while left or right:
        old, new = [left.pop(0)] if left else [], [right.pop(0)] if right else []
        while (before := prod(len(axis) for axis in old)) != (after := prod(new)):
            if before < after:
                old.append(left.pop(0))
            else:
                new.append(right.pop(0))
        while left and len(left[0]) == 1:
            left.pop(0)
        if not (old and len(old) == len(new) == 1):
            found += split(tracer, merge(tracer, old), new) if new else []
        else:
            found += old
    return found


def merge(tracer: Tracer, axes: list[Axis]) -> Axis:
    """One axis of all, row-major; of several with labels that can go, the longest keeps them."""
    sizes = [len(axis) for axis in axes]
    free = [index for index, axis in enumerate(axes) if tracer.labels.free(axis).any()]
    if not free:
        return np.zeros(prod(sizes), np.int64)
    live = max(free, key=lambda index: sizes[index])
    for index in free:
        if index != live:
            tracer.hold(axes[index])
    return np.broadcast_to(_along(axes[live], live, len(axes)), sizes).reshape(-1)


def split(tracer: Tracer, axis: Axis, shape: list[int], *, live: int | None = None) -> list[Axis]:
    """The axes of one that is split into `shape`, row-major.

    Args:
        live: The part along which channels go, where that is known.
    """
    if len(shape) == 1:
        return [axis]
    result = [np.zeros(size, np.int64) for size in shape]
    if not tracer.labels.free(axis).any():
        return result
    grid, classes = axis.reshape(shape), tracer.labels.find(axis).reshape(shape)
    for index in range(len(shape)):
        line = _line(classes, index)
        if shape[index] > 1 and np.array_equal(np.broadcast_to(_along(line, index, len(shape)), shape), classes):
            result[index] = _line(grid, index)
            _join_heads(tracer, result[index])
            return result
    live = _live(tracer, shape) if live is None else live
    line = _line(grid, live)
    tracer.join(np.broadcast_to(_along(line, live, len(shape)), shape).reshape(-1), axis)
    result[live] = line
    _join_heads(tracer, line)
    return result


def _join_heads(tracer: Tracer, line: Axis) -> None:
    """Where a module has one number for the width of a head, queries, keys and values lose the same dimensions."""
    if tracer.heads == "dims" and len(line) in numbers(tracer.module, HEAD_WIDTHS):
        tracer.join(tracer.head_lines.setdefault(tracer.place[0], line), line)


def _live(tracer: Tracer, shape: list[int]) -> int:
    """The part along which channels go."""
    candidates = [index for index, size in enumerate(shape) if size > 1]
    counts, widths = numbers(tracer.module, HEAD_COUNTS), numbers(tracer.module, HEAD_WIDTHS)
    heads = [index for index in candidates if shape[index] in counts]
    one_head = candidates[-1] if shape[candidates[-1]] in widths else None
    if one_head in heads and len(heads) > 1:
        heads.remove(one_head)
    if not heads and one_head is not None:
        heads = candidates[-2:-1]
    if heads and tracer.heads == "whole":
        return heads[-1] if len(heads) < 3 else heads[0]
    if heads and len(candidates) > 1:
        candidates = [index for index in candidates if index != heads[0]]
    return max(candidates, key=lambda index: (shape[index], index))


def _line(grid: Axis, index: int) -> Axis:
    line: Axis = grid[tuple(slice(None) if i == index else 0 for i in range(grid.ndim))]
    return line


def _along(line: Axis, index: int, dims: int) -> Axis:
    return line.reshape([-1 if i == index else 1 for i in range(dims)])
