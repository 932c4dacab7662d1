"""A linear layer whose outputs are summed or averaged needs one output only."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call
from netwright_fusion.rules.matching import has_one_user, label, rank, size_of
from netwright_fusion.rules.reduction import Reduction, reduce, reduction_of, without
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class LinearSum(NodeRule):
    """Linear, then sum or mean over its outputs: one output with summed weights.

    With y = x Wᵀ + b, Σₒ yₒ = Σₒ (Σₖ xₖ Wₒₖ + bₒ) = Σₖ xₖ (Σₒ Wₒₖ) + Σₒ bₒ; the mean divides both sides by the number
    of outputs. A matrix product becomes a matrix-vector product. Special values: one in x reaches every yₒ, and so
    their sum, on both sides.
    """

    name = "linear to sum over outputs"
    reason = "The sum of a linear layer's outputs is one linear function of its input."
    keeps_nan = False

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A sum or mean over the last dimension, and perhaps others, of a linear layer that nobody else needs."""
        found = reduction_of(node)
        if found is None or not found.is_linear or not is_call(found.source, aten.linear.default):
            return None
        linear, last = found.source, rank(found.source) - 1
        if not has_one_user(linear) or last not in found.dims or rank(arguments(linear)["weight"]) != 2:
            return None
        if size_of(linear, last) in (None, 1):
            return None
        return Rewrite(f"{label(linear)} -> {found.kind} over outputs", (linear, node), lambda g: _build(g, found))


def _build(graph: fx.Graph, found: Reduction) -> fx.Node:
    given, last = arguments(found.source), rank(found.source) - 1
    weight = reduce(graph, found.kind, given["weight"], (0,), keepdim=True)
    bias = given["bias"] and reduce(graph, found.kind, given["bias"], (0,), keepdim=True)
    single = without(
        graph, call(graph, aten.linear.default, given["input"], weight, bias), (last,), keepdim=found.keepdim
    )
    others = tuple(dim for dim in found.dims if dim != last)
    return reduce(graph, found.kind, single, others, keepdim=found.keepdim)
