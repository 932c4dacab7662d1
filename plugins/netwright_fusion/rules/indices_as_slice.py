"""Elements that a list of constants names, at equal distances, are a slice."""

import operator

import torch
from torch import Tensor, fx

from netwright_fusion.functional import CONSTANT
from netwright_fusion.graph import arguments, call, is_call, is_tensor
from netwright_fusion.rules.matching import positive, rank, size_of, source
from netwright_fusion.rules.picks import Pick
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class IndicesAsSlice(NodeRule):
    """x[:, [-1]], x[:, [0, 2, 4]]: a copy of the slice.

    Indices that a list names, each by the same number larger than the one before, are those of a slice.
    """

    name = "indices as slice"
    reason = "Indices at equal distances are a slice, which other rules know."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """An index along one dimension of known size by a list of constants that increases evenly."""
        found = _indices(node)
        if found is None:
            return None
        dim, indices = found
        size = size_of(source(node), dim)
        pick = _as_pick(dim, indices, size) if size is not None else None
        if pick is None:
            return None

        def build(graph: fx.Graph) -> fx.Node:
            return call(graph, aten.clone.default, pick.of(graph, source(node)), memory_format=torch.contiguous_format)

        return Rewrite(f"{node.name} -> slice", (node,), build)


def _indices(node: fx.Node) -> tuple[int, list[int]] | None:
    """The dimension and the indices of what a call reads by a list of constants along one dimension, or None."""
    if not is_call(node, aten.index.Tensor, aten.index_select.default) or not is_tensor(node.args[0]):
        return None
    given = arguments(node)
    if is_call(node, aten.index_select.default):
        dim, index = positive(given["dim"], rank(source(node))), given["index"]
    else:
        named = [(dim, each) for dim, each in enumerate(given["indices"]) if each is not None]
        if len(named) != 1:
            return None
        dim, index = named[0]
    if not index.meta.get(CONSTANT):
        return None
    tensor: Tensor = operator.attrgetter(str(index.target))(node.graph.owning_module)
    return (dim, tensor.tolist()) if tensor.dim() == 1 and tensor.dtype is torch.int64 else None


def _as_pick(dim: int, indices: list[int], size: int) -> Pick | None:
    """The slice of a dimension of that size which holds these elements in this order, or None."""
    places = [positive(index, size) for index in indices]
    if not places:
        return None
    step = places[1] - places[0] if len(places) > 1 else 1
    if step < 1 or places != list(range(places[0], places[-1] + 1, step)) or not 0 <= places[0] <= places[-1] < size:
        return None
    return Pick(dim, places[0], len(places), step)
