"""A maximum or minimum whose positions nobody asks for need not find them."""

import operator

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, dtype, is_call
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
EXTREMA = {aten.max.dim: aten.amax.default, aten.min.dim: aten.amin.default}


class ValuesOnly(NodeRule):
    """`max(dim)` or `min(dim)` whose indices are not used: `amax` or `amin`.

    The values are the same; both hand NaN on. Finding positions takes PyTorch's CPU kernels many times as long.
    """

    name = "extremum without its position"
    reason = "Nobody uses where the maximum or minimum is."
    conditions = "fixed weights"

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """The values of a maximum or minimum over a dimension whose indices are not used."""
        if not is_call(node, operator.getitem) or node.args[1] != 0 or not is_call(node.args[0], *EXTREMA):
            return None
        pair = node.args[0]
        assert isinstance(pair, fx.Node)
        if any(user.args[1] != 0 and user.users for user in pair.users) or not dtype(node).is_floating_point:
            return None
        given = arguments(pair)

        def build(graph: fx.Graph) -> fx.Node:
            return call(graph, EXTREMA[pair.target], given["self"], [given["dim"]], given["keepdim"])  # type: ignore[index]

        return Rewrite(f"{pair.name} -> {'amax' if pair.target is aten.max.dim else 'amin'}", (pair, node), build)
