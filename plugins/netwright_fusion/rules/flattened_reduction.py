"""A reduction of dimensions that were flattened for it can reduce them as they are."""

from math import prod

import torch
from torch import fx

from netwright_fusion.graph import is_call, shape
from netwright_fusion.rules.matching import has_one_user, known, rank, source
from netwright_fusion.rules.reduction import reduce, reduction_of
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
FLATTENINGS = (aten.flatten.using_ints, aten.view.default, aten.reshape.default, aten._unsafe_view.default)


class FlattenedReduction(NodeRule):
    """A view that merges the last dimensions, then a reduction of the merged one: the reduction of them all.

    The merged dimension has the same elements. What made the image then stands before the reduction, for other rules.
    """

    name = "reduction of flattened dimensions"
    reason = "Flattened or not, the same elements are reduced."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A reduction that drops the last dimension, of a view that only merged dimensions into that, its only use."""
        found = reduction_of(node)
        if found is None or found.keepdim or not has_one_user(found.source) or not is_call(found.source, *FLATTENINGS):
            return None
        view, image = found.source, source(found.source)
        merged = rank(view) - 1
        if found.dims != (merged,) or rank(image) <= rank(view):
            return None
        tail, size = shape(image)[merged:], shape(view)[-1]
        if not known(size) or not all(known(each) for each in tail) or prod(tail) != size:
            return None
        if [str(each) for each in shape(image)[:merged]] != [str(each) for each in shape(view)[:merged]]:
            return None
        dims = tuple(range(merged, rank(image)))
        return Rewrite(
            f"{view.name} -> {found.kind} of the image",
            (view, node),
            lambda graph: reduce(graph, found.kind, image, dims, keepdim=False),
        )
