"""Scaling or shifting the inputs of a linear layer or convolution can be done to its weight and bias instead."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call
from netwright_fusion.rules.affine import Affine, affine_of, along, column, scaled
from netwright_fusion.rules.affine_into_weights import channel_dim, with_weights
from netwright_fusion.rules.convolution import convolution_of
from netwright_fusion.rules.matching import has_one_user, label, rank
from netwright_fusion.rules.reduction import reduce
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class AffineBeforeWeights(NodeRule):
    """A scale or shift per input channel, then linear or convolution: another weight and bias.

    W (s x) + b = (W s) x + b, column by column of W, that is per input channel, and W (x + t) + b = W x + (b + W t). A
    convolution's zeros beyond the border are not shifted, so that only one without padding takes a shift.
    """

    name = "scale or shift before weights"
    reason = "A linear layer of scaled or shifted inputs is a linear layer with other weights, which are made once."
    conditions = "fixed weights"

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A layer whose input is scaled or shifted by a number, or by parameters along the channels, for it alone."""
        if channel_dim(node) is None:
            return None
        given, conv = arguments(node), convolution_of(node)
        affine = affine_of(given["input"])
        if affine is None or not has_one_user(given["input"]) or affine.number == 0:
            return None
        channels = 1 if conv else rank(given["input"]) - 1
        if not along(affine.operand, rank(given["input"]), channels):
            return None
        if conv and (conv.transposed or any(conv.padding)) and affine.shift is not None:
            return None
        if conv and conv.groups > 1 and isinstance(affine.operand, fx.Node):
            return None

        def build(graph: fx.Graph) -> fx.Node:
            return _build(graph, node, affine)

        what = "scale" if affine.scale is not None else "shift"
        return Rewrite(f"{label(node)} -> its input's {what} in its weights", (given["input"], node), build)


def _build(graph: fx.Graph, layer: fx.Node, affine: Affine) -> fx.Node:
    given, conv = arguments(layer), convolution_of(layer)
    weight, bias = given["weight"], given["bias"]
    columns = 0 if conv and conv.transposed else 1
    operand = column(graph, affine.operand, rank(weight), columns)
    if affine.scale is not None:
        weight = scaled(graph, weight, affine, operand)
    else:
        products = call(graph, aten.mul.Tensor, weight, operand)
        total = reduce(graph, "sum", products, tuple(range(1, rank(weight))), keepdim=False)
        total = call(graph, aten.neg.default, total) if affine.subtracts else total
        bias = total if bias is None else call(graph, aten.add.Tensor, bias, total)
    return with_weights(graph, layer, weight, bias, source=affine.source)
