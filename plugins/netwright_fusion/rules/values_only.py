"""A maximum or minimum whose positions nobody asks for need not find them."""

import operator

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, dtype, is_call
from netwright_fusion.rules.matching import per_dim, rank
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
EXTREMA = {aten.max.dim: aten.amax.default, aten.min.dim: aten.amin.default}
POOLS = {
    aten.adaptive_max_pool1d.default: 1,
    aten.adaptive_max_pool2d.default: 2,
    aten.adaptive_max_pool3d.default: 3,
}


class ValuesOnly(NodeRule):
    """`max(dim)`, `min(dim)`, `topk(1)` or an adaptive max-pool to one position without its indices: `amax` or `amin`.

    The values are the same; both hand NaN on. Finding positions takes PyTorch's CPU kernels many times as long. The
    smallest of `topk` is not `amin`, for to `topk` NaN is larger than everything.
    """

    name = "extremum without its position"
    reason = "Nobody uses where the maximum or minimum is."
    conditions = "fixed weights"

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """The values of a maximum or minimum over a dimension, or of a whole image, whose indices are not used."""
        pair = node.args[0] if is_call(node, operator.getitem) and node.args[1] == 0 else None
        if not isinstance(pair, fx.Node) or not is_call(pair, aten.topk.default, *EXTREMA, *POOLS):
            return None
        if any(user.args[1] != 0 and user.users for user in pair.users) or not dtype(node).is_floating_point:
            return None
        given = arguments(pair)
        if pair.target in POOLS:
            spatial = POOLS[pair.target]
            if set(per_dim(given["output_size"], spatial)) != {1}:
                return None
            extremum, dims, keepdim = aten.amax.default, list(range(-spatial, 0)), True
        elif is_call(pair, aten.topk.default):
            if given["k"] != 1 or not given["largest"] or not rank(given["self"]):
                return None
            extremum, dims, keepdim = aten.amax.default, [given["dim"]], True
        else:
            extremum, dims, keepdim = EXTREMA[pair.target], [given["dim"]], given["keepdim"]  # type: ignore[index]

        def build(graph: fx.Graph) -> fx.Node:
            return call(graph, extremum, given["self"], dims, keepdim)

        return Rewrite(f"{pair.name} -> {extremum._opname}", (pair, node), build)
