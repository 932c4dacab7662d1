"""A reduction of what was permuted can be taken before the permutation."""

import torch
from torch import fx

from netwright_fusion.graph import call
from netwright_fusion.rules.identity import permutation_of
from netwright_fusion.rules.matching import has_one_user, source
from netwright_fusion.rules.reduction import reduce, reduction_of
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class PermutedReduction(NodeRule):
    """Permutation, then reduction: the same dimensions reduced where they were, and what is left of them permuted.

    The same elements are reduced. What made the tensor, a convolution whose image became tokens, say, then stands
    before the reduction, for other rules, and memory is read in its own order.
    """

    name = "reduction before permutation"
    reason = "In whatever order dimensions stand, the same elements are reduced."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A reduction of a permutation that nobody else needs."""
        found = reduction_of(node)
        order = permutation_of(found.source) if found and has_one_user(found.source) else None
        if found is None or order is None:
            return None
        dims = tuple(sorted(order[dim] for dim in found.dims))
        stay = [order[dim] for dim in range(len(order)) if found.keepdim or dim not in found.dims]
        left = [sorted(stay).index(dim) for dim in stay]

        def build(graph: fx.Graph) -> fx.Node:
            reduced = reduce(graph, found.kind, source(found.source), dims, keepdim=found.keepdim)
            return reduced if left == sorted(left) else call(graph, aten.permute.default, reduced, left)

        return Rewrite(f"{found.source.name} -> after {found.kind}", (found.source, node), build)
