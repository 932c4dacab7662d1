"""The sum of two layers of the same input is one layer."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call, shape
from netwright_fusion.rules.affine_into_weights import channel_dim, with_weights
from netwright_fusion.rules.convolution import Convolution, convolution_of
from netwright_fusion.rules.matching import has_one_user, label
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class SumOfLayers(NodeRule):
    """Two linear layers or convolutions of one input, then their sum or difference: one layer.

    (W x + b) ± (V x + c) = (W ± V) x + (b ± c). Of convolutions, everything but the weights must agree.
    """

    name = "sum of layers"
    reason = "Two linear functions of one input add up to one."
    conditions = "fixed weights"
    keeps_nan = False

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A sum or difference of two layers of one input that nobody else needs."""
        if not is_call(node, aten.add.Tensor, aten.sub.Tensor) or arguments(node)["alpha"] != 1:
            return None
        one, other = node.args[:2]
        if one is other or not has_one_user(one) or not has_one_user(other):
            return None
        if channel_dim(one) is None or channel_dim(other) is None or not _alike(one, other):
            return None
        operator = node.target

        def build(graph: fx.Graph) -> fx.Node:
            first, second = arguments(one), arguments(other)
            weight = call(graph, operator, first["weight"], second["weight"])  # type: ignore[arg-type]
            biases = [each["bias"] for each in (first, second)]
            if None not in biases:
                bias = call(graph, operator, *biases)  # type: ignore[arg-type]
            elif biases[1] is not None and is_call(node, aten.sub.Tensor):
                bias = call(graph, aten.neg.default, biases[1])
            else:
                bias = biases[0] or biases[1]
            return with_weights(graph, one, weight, bias)

        return Rewrite(f"{label(one)} and {label(other)} -> one layer", (one, other, node), build)


def _alike(one: fx.Node, other: fx.Node) -> bool:
    """Whether two layers differ in their weights only."""
    first, second = convolution_of(one), convolution_of(other)
    if (first is None) != (second is None):
        return False
    if arguments(one)["input"] is not arguments(other)["input"]:
        return False
    if shape(arguments(one)["weight"]) != shape(arguments(other)["weight"]):
        return False
    return first is None or second is None or _geometry(first) == _geometry(second)


def _geometry(conv: Convolution) -> tuple[object, ...]:
    return conv.stride, conv.padding, conv.dilation, conv.groups, conv.transposed, conv.output_padding
