"""Distances of all pairs, spelt out in differences and sums, are one operator that stores no difference."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import fx
from torch.fx.experimental.symbolic_shapes import statically_known_true

from netwright_fusion.graph import arguments, call, dtype, is_call, shape
from netwright_fusion.rules.matching import has_one_user, known, positive, rank, source
from netwright_fusion.rules.norm_by_hand import squared
from netwright_fusion.rules.reduction import Reduction, reduction_of
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
DIRECT = 2
"""How `cdist` is told to take differences, not products, whose own difference would lose digits."""


class Total(NamedTuple):
    """A sum or mean of absolute or squared differences, or the root of a sum of squares.

    Attributes:
        order: 1 for absolute differences, 2 for squares.
        rooted: Whether the root of the sum of squares was taken.
    """

    differences: fx.Node
    dim: int
    keepdim: bool
    order: int
    rooted: bool
    divisor: int


class PairwiseDistances(NodeRule):
    """Differences of all pairs of rows, then the sum of their squares or magnitudes: `cdist`, or its square.

    Σₖ |xᵢₖ - yⱼₖ|ᵖ is the p-th power of the p-distance of rows i and j. Each is added up where it stands, and the
    differences, as many as pairs times columns, are not stored. They are taken one by one as before, so that near rows
    lose no digits; special values come through the same differences.
    """

    name = "distances of pairs"
    reason = "One operator adds up the differences of each pair, and stores none of them."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A sum, mean or norm over the last dimension of differences of all pairs that nobody else needs."""
        total = _total(node)
        if total is None or total.dim != rank(total.differences) - 1:
            return None
        differences = total.differences
        if not is_call(differences, aten.sub.Tensor) or arguments(differences)["alpha"] != 1:
            return None
        if not all(isinstance(each, fx.Node) for each in differences.args[:2]) or rank(differences) < 3:
            return None
        rows = _rows(differences)
        if rows is None or dtype(node) not in (torch.float32, torch.float64):
            return None
        return Rewrite(f"{differences.name} -> distances", (differences, node), _distances(total, *rows))


def _total(node: fx.Node) -> Total | None:
    if is_call(node, aten.linalg_vector_norm.default):
        given = arguments(node)
        dims = given["dim"] or []
        if (
            given["ord"] not in (1, 2)
            or len(dims) != 1
            or given["dtype"] is not None
            or not has_one_user(given["self"])
        ):
            return None
        dim = positive(dims[0], rank(given["self"]))
        return Total(given["self"], dim, given["keepdim"], int(given["ord"]), given["ord"] == 2, 1)
    found = reduction_of(node)
    if found is None or not found.is_linear or len(found.dims) != 1 or not has_one_user(found.source):
        return None
    return _of_powers(found)


def _of_powers(found: Reduction) -> Total | None:
    powers = found.source
    base, order = squared(powers), 2
    if base is None and is_call(powers, aten.abs.default):
        base, order = source(powers), 1
    count = found.count
    if base is None or base.op != "call_function" or set(base.users) != {powers} or count is None:
        return None
    return Total(base, found.dims[0], found.keepdim, order, False, count if found.kind == "mean" else 1)


def _rows(differences: fx.Node) -> tuple[tuple[fx.Node, int], tuple[fx.Node, int]] | None:
    """The two sets of rows, and the dimension of the differences in which each is only repeated."""
    dims = rank(differences)
    operands: list[Any] = [_unexpanded(each) for each in differences.args[:2]]
    pairs = {dims - 3, dims - 2}
    found = [_repeated(each, differences) for each in operands]
    own = [pairs & set(repeated) for repeated in found]
    if not all(len(each) == 1 for each in own) or own[0] == own[1] or not known(shape(differences)[-1]):
        return None
    if any(dims - 1 in repeated for repeated in found):
        return None
    return (operands[0], *own[0]), (operands[1], *own[1])


def _unexpanded(node: Any) -> Any:
    while is_call(node, aten.expand.default, aten.expand_as.default):
        node = arguments(node)["self"]
    return node


def _repeated(operand: fx.Node, whole: fx.Node) -> list[int]:
    """The dimensions in which an operand has one element, or none, for several of the whole's."""
    offset = rank(whole) - rank(operand)
    sizes = [1] * offset + list(shape(operand))
    return [
        dim
        for dim, (size, all_of_it) in enumerate(zip(sizes, shape(whole), strict=True))
        if statically_known_true(size == 1) and not statically_known_true(all_of_it == 1)
    ]


def _distances(total: Total, first: tuple[fx.Node, int], second: tuple[fx.Node, int]) -> Callable[[fx.Graph], fx.Node]:
    dims = rank(total.differences)
    by_row = first if second[1] == dims - 3 else second
    by_column = second if by_row is first else first

    def build(graph: fx.Graph) -> fx.Node:
        tables = [_without(graph, node, dim, dims) for node, dim in (by_row, by_column)]
        result = call(graph, aten.cdist.default, *tables, float(total.order), DIRECT)
        if total.order == 2 and not total.rooted:
            result = call(graph, aten.square.default, result)
        if total.divisor != 1:
            result = call(graph, aten.div.Tensor, result, total.divisor)
        return call(graph, aten.unsqueeze.default, result, -1) if total.keepdim else result

    return build


def _without(graph: fx.Graph, node: fx.Node, dim: int, dims: int) -> fx.Node:
    """A set of rows without the dimension that it was given to be repeated in."""
    own = dim - (dims - rank(node))
    return call(graph, aten.squeeze.dim, node, own) if own >= 0 else node
