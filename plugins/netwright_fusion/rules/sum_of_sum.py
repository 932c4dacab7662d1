"""The sum of a layer's output and something else is the sum of both sums."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call
from netwright_fusion.rules.convolution import convolution_of
from netwright_fusion.rules.matching import has_one_user, rank, same_sizes
from netwright_fusion.rules.matmul_sum import PRODUCTS
from netwright_fusion.rules.reduction import Reduction, reduce, reduction_of
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class SumOfSum(NodeRule):
    """Layer plus residual, then sum or mean: the sums of both, so that the layer's own can be had for less.

    Σ (x ± y) = Σ x ± Σ y. It is applied where a linear layer, product or convolution is one of the two and nobody else
    needs it, so that another rule takes its sum before it is made.
    """

    name = "sum of sum"
    reason = "Sums can be taken one by one, and a layer's own sum is cheap."
    keeps_nan = False

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A sum or mean of the sum or difference of a layer's output and a tensor of the same sizes."""
        found = reduction_of(node)
        if found is None or not found.is_linear or not has_one_user(found.source):
            return None
        both = found.source
        if not is_call(both, aten.add.Tensor, aten.sub.Tensor) or arguments(both)["alpha"] != 1:
            return None
        one, other = both.args[:2]
        if not isinstance(one, fx.Node) or not isinstance(other, fx.Node) or one is other:
            return None
        if not same_sizes(one, both) or not same_sizes(other, both):
            return None
        if not any(_is_cheaper(each, found) for each in (one, other)):
            return None

        def build(graph: fx.Graph) -> fx.Node:
            sums = [reduce(graph, found.kind, each, found.dims, keepdim=found.keepdim) for each in (one, other)]
            return call(graph, both.target, *sums)  # type: ignore[arg-type]

        return Rewrite(f"{both.name} -> after {found.kind}", (both, node), build)


def _is_cheaper(layer: fx.Node, found: Reduction) -> bool:
    """Whether a rule makes less work of the same reduction of a layer's output."""
    if not has_one_user(layer):
        return False
    last = rank(layer) - 1
    if is_call(layer, aten.linear.default):
        return last in found.dims or found.kind == "mean" or found.count is not None or not arguments(layer)["bias"]
    if is_call(layer, *PRODUCTS):
        return last in found.dims or last - 1 in found.dims
    conv = convolution_of(layer)
    return conv is not None and (1 in found.dims or set(range(2, 2 + conv.spatial)) <= set(found.dims))
