"""Of sorted values, a few at an end, or one anywhere, are found without sorting the others."""

import operator
from typing import Any, NamedTuple

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, dtype, is_call
from netwright_fusion.rules.matching import positive, rank, size_of, source
from netwright_fusion.rules.picks import Build, Pick, pick_of
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
SORTS = (aten.sort.default, aten.sort.stable)
SHARE = 8
"""Sorting takes as long as finding more than one in so many values at an end."""
LONGEST = 256
"""In fewer values than that, one in the middle is found as soon by sorting."""


class Sorted(NamedTuple):
    """Values that are put in order along a dimension."""

    values: fx.Node
    dim: int
    descending: bool


class SortedEnds(NodeRule):
    """The first or last few of sorted values: `topk`; the largest: `amax`; a single one in between: `kthvalue`.

    All of them take NaN for the largest value, as `sort` does, except `amin`, so that the smallest value is left to
    `topk`. With n values of which k are wanted, n log k comparisons do instead of n log n.
    """

    name = "ends of sorted values"
    reason = "Nobody reads the others, so that they need no order."
    conditions = "fixed weights"

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A pick of sorted values, of which nobody needs more than such picks, nor the positions."""
        pick = pick_of(node)
        found = sorted_of(source(node)) if pick else None
        if pick is None or found is None:
            return None
        inside, *others = (_end(found, each) for each in (pick, *map(pick_of, source(node).users)))
        if inside is None or None in others:
            return None

        def build(graph: fx.Graph) -> fx.Node:
            part = inside(graph)
            return call(graph, aten.select.int, part, pick.dim, 0) if is_call(node, aten.select.int) else part

        return Rewrite(f"{source(node).name} -> what is read of it", (source(node), node), build)


def sorted_of(node: fx.Node) -> Sorted | None:
    """The node as sorted values whose positions nobody needs, or None."""
    if is_call(node, aten.msort.default):
        found = Sorted(source(node), 0, False)
    elif is_call(node, operator.getitem) and node.args[1] == 0 and is_call(source(node), *SORTS):
        if any(user.args[1] != 0 and user.users for user in source(node).users):
            return None
        values, given = source(source(node)), arguments(source(node))
        found = Sorted(values, positive(given["dim"], rank(values)), given["descending"])
    else:
        return None
    return found if dtype(found.values).is_floating_point else None


def _end(found: Sorted, pick: Pick | None) -> Build | None:
    """How to find what a pick takes of sorted values, its dimension kept; None where that takes as long as sorting."""
    values, dim, descending = found
    size = size_of(values, dim) if pick is not None and pick.dim == dim else None
    if pick is None or size is None:
        return None
    ahead, behind = pick.end, size - pick.start
    if pick.count == 1 and (ahead if descending else behind) == 1:
        return lambda graph: call(graph, aten.amax.default, values, [dim], True)
    if SHARE * ahead <= size:
        return lambda graph: pick.of(graph, _extreme(graph, found, ahead, largest=descending))
    if SHARE * behind <= size:
        last = Pick(dim, 0, pick.count, pick.step)
        return lambda graph: last.of(
            graph, call(graph, aten.flip.default, _extreme(graph, found, behind, largest=not descending), [dim])
        )
    if pick.count == 1 and size >= LONGEST:
        place = behind if descending else ahead
        return lambda graph: _first(graph, aten.kthvalue.default, values, place, dim, True)
    return None


def _extreme(graph: fx.Graph, found: Sorted, count: int, *, largest: bool) -> fx.Node:
    """The largest or smallest values, the most extreme one first."""
    return _first(graph, aten.topk.default, found.values, count, found.dim, largest)


def _first(graph: fx.Graph, target: Any, *given: Any) -> fx.Node:
    """The values of a call that returns their positions, too."""
    return call(graph, operator.getitem, call(graph, target, *given), 0)
