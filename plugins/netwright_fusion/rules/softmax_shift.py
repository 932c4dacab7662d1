"""Subtracting the maximum before a softmax is what softmax does itself."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call
from netwright_fusion.rules.matching import has_one_user, positive, rank
from netwright_fusion.rules.norm_shift import SOFTMAXES
from netwright_fusion.rules.reduction import reduction_of
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class SoftmaxShift(NodeRule):
    """Subtraction of the maximum, then softmax over the same dimension: softmax alone.

    exp(xᵢ - m) / Σ exp(xⱼ - m) does not depend on m, and PyTorch's softmax subtracts the maximum for itself. An
    infinite or NaN x makes the whole row NaN on both sides.
    """

    name = "maximum subtracted before softmax"
    reason = "Softmax subtracts the maximum itself."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A softmax of values less their maximum over its dimension."""
        if not is_call(node, *SOFTMAXES):
            return None
        shifted = arguments(node)["self"]
        if not has_one_user(shifted) or not is_call(shifted, aten.sub.Tensor) or arguments(shifted)["alpha"] != 1:
            return None
        whole, most = shifted.args[:2]
        found = reduction_of(most) if isinstance(most, fx.Node) else None
        if found is None or found.kind != "amax" or found.source is not whole or not found.keepdim:
            return None
        if found.dims != (positive(arguments(node)["dim"], rank(node)),):
            return None

        def build(graph: fx.Graph) -> fx.Node:
            return call(graph, node.target, whole, *list(arguments(node).values())[1:])  # type: ignore[arg-type]

        return Rewrite(f"{shifted.name} -> nothing before {node.name}", (shifted, node), build)
