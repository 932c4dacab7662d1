"""A linear layer that is applied to rows which are then summed or averaged can be applied to their sum."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call
from netwright_fusion.rules.matching import has_one_user, label, rank
from netwright_fusion.rules.reduction import reduce, reduction_of
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class LinearRows(NodeRule):
    """Linear, then sum or mean over rows (tokens, say): the sum or mean first.

    With y_r = W x_r + b over n rows, Σ_r y_r = W (Σ_r x_r) + n b, and the mean is W (mean_r x_r) + b: the product is
    done once instead of n times. Special values: one in any x_r reaches every output on both sides.
    """

    name = "sum over rows before linear"
    reason = "A linear layer of summed rows is the sum of the linear layer's rows."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A sum or mean over dimensions other than the last of a linear layer that nobody else needs."""
        found = reduction_of(node)
        if found is None or not found.is_linear or not is_call(found.source, aten.linear.default):
            return None
        linear, count = found.source, found.count
        given = arguments(linear)
        if not has_one_user(linear) or rank(linear) - 1 in found.dims or rank(given["weight"]) != 2:
            return None
        bias = given["bias"]
        if count == 1 or (count is None and found.kind == "sum" and bias):
            return None

        def build(graph: fx.Graph) -> fx.Node:
            rows = reduce(graph, found.kind, given["input"], found.dims, keepdim=found.keepdim)
            scaled = call(graph, aten.mul.Tensor, bias, count) if bias and found.kind == "sum" else bias
            return call(graph, aten.linear.default, rows, given["weight"], scaled)

        return Rewrite(f"{label(linear)} -> {found.kind} over rows first", (linear, node), build)
