"""A convolution of single pixels can be applied after an average pool, to fewer pixels."""

from math import prod

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call, shape
from netwright_fusion.rules.convolution import average_pool_of, convolution_of, convolve_like
from netwright_fusion.rules.matching import has_one_user, known, label, source
from netwright_fusion.rules.reduction import GLOBAL_POOLS
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class PoolBeforePointwise(NodeRule):
    """Convolution with a kernel of one element, then average pool: the pool first.

    The pool averages positions, the convolution mixes channels: 1/P Σ_q (W x[q] + b) = W (1/P Σ_q x[q]) + b for windows
    inside the image, as all windows of an adaptive pool are, however unequal. The convolution then has as many pixels
    as the pool has outputs. Special values reach all channels of the windows that hold them, on both sides.
    """

    name = "average pool before pointwise convolution"
    reason = "A convolution of single pixels commutes with averaging, and there are fewer pixels afterwards."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """An average pool of a pointwise convolution that nobody else needs, where the pool leaves fewer pixels."""
        pooled = _pooled(node)
        conv = convolution_of(pooled) if has_one_user(pooled) else None
        if pooled is None or conv is None or conv.transposed:
            return None
        if {*conv.kernel, *conv.stride} != {1} or any(conv.padding) or prod(shape(node)[2:]) >= prod(conv.spatial_out):
            return None
        if conv.channels_in > 4 * conv.channels_out:
            return None

        def build(graph: fx.Graph) -> fx.Node:
            given = arguments(node)
            small = call(graph, node.target, conv.source, *[given[key] for key in list(given)[1:]])  # type: ignore[arg-type]
            return convolve_like(graph, conv, small, conv.weight, conv.bias)

        return Rewrite(f"{label(pooled)} -> average pool first", (pooled, node), build)


def _pooled(node: fx.Node) -> fx.Node | None:
    """What a node averages over windows inside the image."""
    pool = average_pool_of(node)
    if pool is not None:
        return pool.source if pool.is_plain and max(pool.stride) > 1 else None
    adaptive = is_call(node, *GLOBAL_POOLS) and all(known(size) for size in shape(node)[2:])
    return source(node) if adaptive else None
