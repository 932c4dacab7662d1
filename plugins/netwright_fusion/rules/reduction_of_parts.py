"""What is put together only to be reduced can be reduced part by part, without a copy."""

from collections.abc import Callable
from functools import reduce as fold

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, dtype, elements, is_call
from netwright_fusion.rules.matching import has_one_user, positive, rank, size_of
from netwright_fusion.rules.reduction import Reduction, reduce, reduction_of
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
MOST_PARTS = 8
SMALLEST = 4096
"""Elements of a part whose copy takes longer than calling one more operator."""


class ReductionOfParts(NodeRule):
    """Concatenation or stack, then a sum or mean, or a maximum along other dimensions: the parts' own first.

    Along other dimensions, parts are reduced each by itself, and what is left of them is concatenated. Along the same
    one, Σ [x; y] = Σ x + Σ y, and a mean is that over the number of elements. Layers that make the parts then meet the
    sum or mean, which they can have for less. The terms are the same, with the same special values.
    """

    name = "reduction of parts"
    reason = "Parts can be reduced where they are, and need not be copied to one place first."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A reduction of a few large tensors that are put together for it alone."""
        found = reduction_of(node)
        whole = found.source if found else None
        if found is None or not has_one_user(whole) or not is_call(whole, aten.cat.default, aten.stack.default):
            return None
        parts, dim = list(arguments(whole)["tensors"]), positive(arguments(whole)["dim"], rank(whole))
        own = rank(whole) - is_call(whole, aten.stack.default)
        if not 1 < len(parts) <= MOST_PARTS or any(rank(each) != own or dtype(each) != dtype(whole) for each in parts):
            return None
        if elements(whole) < SMALLEST * len(parts):
            return None
        if dim not in found.dims:
            return Rewrite(f"{whole.name} -> after {found.kind}", (whole, node), _together(found, parts, dim))
        sizes = {1 if own < rank(whole) else size_of(each, dim) for each in parts}
        if not found.is_linear or (found.kind == "mean" and len(sizes) > 1 and found.count is None):
            return None
        return Rewrite(
            f"{whole.name} -> {found.kind} of each part", (whole, node), _added(found, parts, dim, len(sizes) == 1)
        )


def _inner(found: Reduction, dim: int) -> tuple[int, ...]:
    """The dimensions of a part that are reduced."""
    if is_call(found.source, aten.cat.default):
        return found.dims
    return tuple(each - (each > dim) for each in found.dims if each != dim)


def _together(found: Reduction, parts: list[fx.Node], dim: int) -> Callable[[fx.Graph], fx.Node]:
    """The parts' reductions put together as they were."""
    where = dim if found.keepdim else dim - sum(each < dim for each in found.dims)

    def build(graph: fx.Graph) -> fx.Node:
        small = [reduce(graph, found.kind, each, _inner(found, dim), keepdim=found.keepdim) for each in parts]
        return call(graph, found.source.target, small, where)  # type: ignore[arg-type]

    return build


def _added(found: Reduction, parts: list[fx.Node], dim: int, alike: bool) -> Callable[[fx.Graph], fx.Node]:
    """The sum of the parts' sums, or of their means where all parts have as many elements."""
    kind = found.kind if alike else "sum"

    def build(graph: fx.Graph) -> fx.Node:
        each = [reduce(graph, kind, part, _inner(found, dim), keepdim=found.keepdim) for part in parts]
        total = fold(lambda one, other: call(graph, aten.add.Tensor, one, other), each)
        if found.kind == "mean":
            total = call(graph, aten.div.Tensor, total, len(parts) if alike else found.count)
        stacked = is_call(found.source, aten.stack.default)
        return call(graph, aten.unsqueeze.default, total, dim) if stacked and found.keepdim else total

    return build
