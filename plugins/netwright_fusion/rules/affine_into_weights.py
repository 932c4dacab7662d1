"""Scaling or shifting the outputs of a linear layer or convolution can be done to its weight and bias instead."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call, shape
from netwright_fusion.rules.affine import Affine, affine_of, along, column, scaled
from netwright_fusion.rules.convolution import convolution_of, convolve_like
from netwright_fusion.rules.matching import has_one_user, is_fixed, label, rank
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class AffineIntoWeights(NodeRule):
    """Linear or convolution, then a scale or shift per output channel: another weight and bias.

    s (W x + b) + t = (s W) x + (s b + t), row by row of W, that is per output channel. Nothing is computed per output
    any more, and patterns behind the scale come next to the layer. Special values in x are multiplied by s W instead of
    W first; where s is finite and not 0 the same outputs are NaN or infinite.
    """

    name = "scale or shift into weights"
    reason = "A scaled or shifted linear layer is a linear layer with other weights, which are made once."
    conditions = "fixed weights"

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A scale or shift by a number, or by parameters along the channels, of a layer that nobody else needs."""
        affine = affine_of(node)
        if affine is None or not has_one_user(affine.source) or affine.number == 0:
            return None
        channels = channel_dim(affine.source)
        if channels is None or not along(affine.operand, rank(node), channels):
            return None

        def build(graph: fx.Graph) -> fx.Node:
            return with_affine(graph, affine.source, affine)

        what = "shifted" if affine.scale is None else "scaled"
        return Rewrite(f"{label(affine.source)} -> {what} weights", (affine.source, node), build)


def channel_dim(layer: fx.Node) -> int | None:
    """The dimension of its output that a linear layer or convolution with weights of its own has its channels in."""
    if is_call(layer, aten.linear.default):
        given = arguments(layer)
        fixed = is_fixed(given["weight"]) and (given["bias"] is None or is_fixed(given["bias"]))
        return rank(layer) - 1 if fixed and rank(given["weight"]) == 2 else None
    conv = convolution_of(layer)
    if conv is None or not is_fixed(conv.weight) or not (conv.bias is None or is_fixed(conv.bias)):
        return None
    return 1 if not conv.transposed or conv.groups == 1 else None


def with_affine(graph: fx.Graph, layer: fx.Node, affine: Affine) -> fx.Node:
    """The layer with the scale or shift in its weight and bias."""
    given = arguments(layer)
    weight, bias = given["weight"], given["bias"]
    conv = convolution_of(layer)
    rows = 1 if conv and conv.transposed else 0
    count = shape(weight)[rows]
    vector = column(graph, affine.operand, 1)
    if affine.scale is not None:
        weight = scaled(graph, weight, affine, column(graph, vector, rank(weight), rows))
        bias = bias and scaled(graph, bias, affine, vector)
    else:
        bias = scaled(graph, bias or call(graph, aten.new_zeros.default, weight, [count]), affine, vector)
    return with_weights(graph, layer, weight, bias)


def with_weights(
    graph: fx.Graph, layer: fx.Node, weight: fx.Node, bias: fx.Node | None, source: fx.Node | None = None
) -> fx.Node:
    """A linear layer or convolution with another weight and bias, and another input where one is given."""
    conv, source = convolution_of(layer), source or arguments(layer)["input"]
    if conv is None:
        return call(graph, aten.linear.default, source, weight, bias)
    return convolve_like(graph, conv, source, weight, bias)
