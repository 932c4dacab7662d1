"""A reduction of what was sorted, flipped, rolled or shuffled need not wait for that."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, is_call
from netwright_fusion.rules.matching import positive, rank, source
from netwright_fusion.rules.reduction import reduce, reduction_of
from netwright_fusion.rules.rule import NodeRule, Rewrite
from netwright_fusion.rules.sorted_ends import sorted_of

aten = torch.ops.aten


class ReorderedReduction(NodeRule):
    """Sort, flip, roll or shuffle, then a sum, mean, maximum or minimum over the dimensions concerned: of what it was.

    The same elements are reduced. A sum of them in another order is rounded in another way, by no more. A shuffle of
    pixels moves them between channels and positions, and concerns those three dimensions.
    """

    name = "reduction of reordered elements"
    reason = "In whatever order they come, the same elements are reduced."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A reduction over all dimensions in which its input was put in another order."""
        found = reduction_of(node)
        reordered = _reordered(found.source) if found else None
        if found is None or reordered is None or not reordered[1] <= set(found.dims):
            return None
        return Rewrite(
            f"{found.source.name} -> nothing before {found.kind}",
            (found.source, node),
            lambda graph: reduce(graph, found.kind, reordered[0], found.dims, keepdim=found.keepdim),
        )


def _reordered(node: fx.Node) -> tuple[fx.Node, set[int]] | None:
    """What a node holds in another order, and in which dimensions; None where it does something else."""
    found = sorted_of(node)
    if found is not None:
        return found.values, {found.dim}
    if is_call(node, aten.channel_shuffle.default):
        return source(node), {1}
    if is_call(node, aten.pixel_shuffle.default, aten.pixel_unshuffle.default):
        return source(node), set(range(rank(node) - 3, rank(node)))
    if not is_call(node, aten.flip.default, aten.roll.default) or not arguments(node)["dims"]:
        return None
    return source(node), {positive(dim, rank(node)) for dim in arguments(node)["dims"]}
