"""Reductions as one thing: sums, means, extrema and pools of everything, whatever operator they were written with."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, dtype, is_call, is_tensor, shape
from netwright_fusion.rules.matching import known, per_dim, positive, rank, source

aten = torch.ops.aten
Kind = Literal["sum", "mean", "amax", "amin"]
GLOBAL_POOLS = {aten.adaptive_avg_pool1d: 1, aten.adaptive_avg_pool2d: 2, aten.adaptive_avg_pool3d: 3}


@dataclass(frozen=True)
class Reduction:
    """A reduction of some dimensions of a tensor.

    Attributes:
        source: What is reduced.
        dims: The dimensions, from 0, in ascending order.
        keepdim: Whether they stay, with size 1.
    """

    kind: Kind
    source: fx.Node
    dims: tuple[int, ...]
    keepdim: bool

    @property
    def is_linear(self) -> bool:
        """Whether it is a sum or a mean."""
        return self.kind in ("sum", "mean")

    @property
    def count(self) -> int | None:
        """How many elements make one, or None where that depends on the batch."""
        count = 1
        for dim in self.dims:
            size = shape(self.source)[dim]
            if not known(size):
                return None
            count *= size
        return count


def reduction_of(node: fx.Node) -> Reduction | None:
    """The node as a reduction in its input's own type, or None."""
    if not isinstance(node, fx.Node) or node.op != "call_function" or not node.args or not is_tensor(node.args[0]):
        return None
    reduced = source(node)
    kind: Kind | None = None
    if is_call(node, *GLOBAL_POOLS):
        return _global_pool(node)
    if is_call(node, aten.sum.default, aten.sum.dim_IntList):
        kind = "sum"
    elif is_call(node, aten.mean.default, aten.mean.dim):
        kind = "mean"
    elif is_call(node, aten.amax.default):
        kind = "amax"
    elif is_call(node, aten.amin.default):
        kind = "amin"
    if kind is None:
        return None
    given = arguments(node)
    if given.get("dtype") not in (None, dtype(reduced)) or not dtype(reduced).is_floating_point:
        return None
    dims = given.get("dim")
    every = tuple(range(rank(reduced)))
    chosen = every if not dims else tuple(sorted(positive(dim, rank(reduced)) for dim in dims))
    return Reduction(kind, reduced, chosen, bool(given.get("keepdim", False)))


def reduce(graph: fx.Graph, kind: Kind, node: fx.Node, dims: tuple[int, ...], *, keepdim: bool) -> fx.Node:
    """A new reduction of some dimensions; the node itself where there are none."""
    if not dims:
        return node
    operators = {
        "sum": aten.sum.dim_IntList,
        "mean": aten.mean.dim,
        "amax": aten.amax.default,
        "amin": aten.amin.default,
    }
    return call(graph, operators[kind], node, list(dims), keepdim)


def without(graph: fx.Graph, node: fx.Node, dims: tuple[int, ...], *, keepdim: bool) -> fx.Node:
    """The node without these dimensions of size 1, unless they are to be kept."""
    return node if keepdim or not dims else call(graph, aten.squeeze.dims, node, list(dims))


def _global_pool(node: fx.Node) -> Reduction | None:
    spatial = next(count for pool, count in GLOBAL_POOLS.items() if is_call(node, pool))
    reduced, dims = source(node), rank(source(node))
    if any(size != 1 for size in per_dim(arguments(node)["output_size"], spatial)):
        return None
    return Reduction("mean", reduced, tuple(range(dims - spatial, dims)), True)
