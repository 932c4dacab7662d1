"""A convolution of single pixels can be applied after an average pool, to fewer pixels."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call
from netwright_fusion.rules.convolution import average_pool_of, convolution_of, convolve_like
from netwright_fusion.rules.matching import has_one_user, label, same_sizes
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class PoolBeforePointwise(NodeRule):
    """Convolution with a kernel of one element, then average pool: the pool first.

    The pool averages positions, the convolution mixes channels: 1/P Σ_q (W x[q] + b) = W (1/P Σ_q x[q]) + b for windows
    inside the image. The convolution then has as many pixels as the pool has outputs. Special values reach
    all channels of the windows that hold them, on both sides.
    """

    name = "average pool before pointwise convolution"
    reason = "A convolution of single pixels commutes with averaging, and there are fewer pixels afterwards."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """An average pool of a pointwise convolution that nobody else needs, where the pool leaves fewer pixels."""
        pool = average_pool_of(node)
        conv = convolution_of(pool.source) if pool and has_one_user(pool.source) else None
        if pool is None or conv is None or conv.transposed or not pool.is_plain or pool.spatial != conv.spatial:
            return None
        if {*conv.kernel, *conv.stride} != {1} or any(conv.padding) or max(pool.stride) == 1:
            return None
        if conv.channels_in > 4 * conv.channels_out or same_sizes(node, pool.source):
            return None

        def build(graph: fx.Graph) -> fx.Node:
            given = arguments(node)
            pooled = call(graph, node.target, conv.source, *[given[key] for key in list(given)[1:]])  # type: ignore[arg-type]
            return convolve_like(graph, conv, pooled, conv.weight, conv.bias)

        return Rewrite(f"{label(pool.source)} -> average pool first", (pool.source, node), build)
