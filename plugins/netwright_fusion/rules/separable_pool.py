"""A pool with a large window can be taken one dimension after the other."""

from math import prod

import torch
from torch import fx

from netwright_fusion.graph import call, shape
from netwright_fusion.rules.convolution import AVERAGE_POOLS, MAX_POOLS, Pool, average_pool_of, max_pool_of
from netwright_fusion.rules.matching import known
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
GAIN = 1.5
"""How many times fewer elements must be read: the images in between are written and read once more."""


class SeparablePool(NodeRule):
    """Max-pool or average pool over a large window: over its columns, then its rows.

    The maximum of a window is the maximum of its rows' maxima, and the mean of equally long rows' means is the window's
    mean; zeros beyond the border count either way, or there are none. With k by k elements at stride 1, 2 k are read
    per output instead of k².
    """

    name = "pool by dimensions"
    reason = "The maximum or mean of a window is that of its rows' maxima or means, which windows share."
    measured = True

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A pool over several dimensions of known sizes whose windows overlap enough."""
        maximum = max_pool_of(node)
        pool = maximum or average_pool_of(node)
        if pool is None or pool.spatial < 2 or pool.ceil or pool.divisor is not None:
            return None
        if maximum is None and any(pool.padding) and not pool.counts_padding:
            return None
        sizes = shape(pool.source)[-pool.spatial :], shape(node)[-pool.spatial :]
        if not all(known(size) for each in sizes for size in each):
            return None
        if _elements_read(pool, *sizes) * GAIN > prod(sizes[1]) * prod(pool.kernel):
            return None

        def build(graph: fx.Graph) -> fx.Node:
            return _build(graph, pool, maximum=maximum is not None)

        return Rewrite(f"{node.name} -> one dimension after the other", (node,), build)


def _elements_read(pool: Pool, before: tuple[int, ...], after: tuple[int, ...]) -> int:
    """Elements that all passes read together, the last dimension's pass first."""
    sizes, total = list(before), 0
    for dim in reversed(range(pool.spatial)):
        sizes[dim] = after[dim]
        total += prod(sizes) * pool.kernel[dim]
    return total


def _build(graph: fx.Graph, pool: Pool, *, maximum: bool) -> fx.Node:
    node, operators = pool.source, MAX_POOLS if maximum else AVERAGE_POOLS
    for dim in reversed(range(pool.spatial)):
        if (pool.kernel[dim], pool.stride[dim]) == (1, 1):
            continue

        def only(value: int, otherwise: int, dim: int = dim) -> list[int]:
            return [value if index == dim else otherwise for index in range(pool.spatial)]

        steps = [only(pool.kernel[dim], 1), only(pool.stride[dim], 1), only(pool.padding[dim], 0)]
        steps += [only(pool.dilation[dim], 1)] if maximum else []
        node = call(graph, operators[pool.spatial - 1], node, *steps)
    return node
