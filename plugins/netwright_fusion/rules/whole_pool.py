"""A pool whose window is the whole image, or that is adaptive without need, is a simpler operator."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call, shape
from netwright_fusion.rules.convolution import AVERAGE_POOLS, average_pool_of, max_pool_of
from netwright_fusion.rules.matching import known, per_dim, rank
from netwright_fusion.rules.reduction import reduce
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
ADAPTIVE = {
    aten.adaptive_avg_pool1d.default: (AVERAGE_POOLS, 1),
    aten.adaptive_avg_pool2d.default: (AVERAGE_POOLS, 2),
    aten.adaptive_avg_pool3d.default: (AVERAGE_POOLS, 3),
}


class WholePool(NodeRule):
    """A pool with one window that is the whole image: a mean or maximum over the spatial dimensions.

    There is one window, and it holds every element once.
    """

    name = "pool of the whole image"
    reason = "A pool with one window over everything is a mean or maximum, for which there are faster operators."
    conditions = "fixed weights"

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A pool without padding whose kernel is as large as its input."""
        maximum = max_pool_of(node)
        pool = maximum or average_pool_of(node)
        if pool is None or not pool.is_plain:
            return None
        dims = rank(pool.source)
        if tuple(shape(pool.source)[dims - pool.spatial :]) != pool.kernel:
            return None
        reduced = tuple(range(dims - pool.spatial, dims))
        kind = "amax" if maximum else "mean"
        return Rewrite(
            f"{node.name} -> {'maximum' if maximum else 'mean'}",
            (node,),
            lambda graph: reduce(graph, "amax" if kind == "amax" else "mean", pool.source, reduced, keepdim=True),
        )


class AdaptivePool(NodeRule):
    """An adaptive average pool whose output size divides its input size: a plain average pool, or a mean.

    Window i of n over H elements goes from ⌊i H / n⌋ to ⌈(i + 1) H / n⌉, which is i k to (i + 1) k if H = n k.
    """

    name = "adaptive pool with equal windows"
    reason = "Where sizes divide, an adaptive pool is a plain one, which other rules know."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """An adaptive average pool of known sizes that divide."""
        if not is_call(node, *ADAPTIVE):
            return None
        pools, spatial = ADAPTIVE[node.target]  # type: ignore[index]
        given = arguments(node)
        source, sizes = given["self"], shape(given["self"])[-spatial:]
        wanted = per_dim(given["output_size"], spatial)
        if not all(known(size) and size % out == 0 for size, out in zip(sizes, wanted, strict=True)):
            return None
        dims = rank(source)

        def build(graph: fx.Graph) -> fx.Node:
            if set(wanted) == {1}:
                return reduce(graph, "mean", source, tuple(range(dims - spatial, dims)), keepdim=True)
            kernel = [size // out for size, out in zip(sizes, wanted, strict=True)]
            return call(graph, pools[spatial - 1], source, kernel, kernel)

        return Rewrite(f"{node.name} -> {'mean' if set(wanted) == {1} else 'average pool'}", (node,), build)
