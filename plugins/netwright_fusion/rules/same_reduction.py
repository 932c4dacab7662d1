"""A reduction that was done before, but for its scale or shape, need not be done again."""

import torch
from torch import fx

from netwright_fusion.graph import call
from netwright_fusion.rules.reduction import Reduction, reduction_of, without
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class SameReduction(NodeRule):
    """A sum or mean over dimensions over which another one was taken before: that one, scaled or in another shape.

    Σ x = n mean x. Special values are the same in both.
    """

    name = "same reduction"
    reason = "The sum and the mean of the same elements are multiples of each other."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A sum or mean of something that an earlier one reduces along the same dimensions."""
        found = reduction_of(node)
        if found is None or not found.is_linear:
            return None
        for user in found.source.users:
            earlier = reduction_of(user) if user < node else None
            if earlier is None or not earlier.is_linear or earlier.dims != found.dims:
                continue
            if earlier.kind == found.kind and (any(each.op == "output" for each in node.users) or not found.dims):
                continue
            if earlier.kind != found.kind and found.count is None:
                continue
            return Rewrite(
                f"{node.name} -> of {user.name}",
                (user, node),
                lambda graph, user=user, earlier=earlier: _from(graph, user, earlier, found),  # type: ignore[misc]
            )
        return None


def _from(graph: fx.Graph, node: fx.Node, earlier: Reduction, wanted: Reduction) -> fx.Node:
    if earlier.kind != wanted.kind:
        operator = aten.div.Tensor if wanted.kind == "mean" else aten.mul.Tensor
        node = call(graph, operator, node, wanted.count)
    if earlier.keepdim:
        return without(graph, node, wanted.dims, keepdim=wanted.keepdim)
    for dim in wanted.dims if wanted.keepdim else ():
        node = call(graph, aten.unsqueeze.default, node, dim)
    return node
