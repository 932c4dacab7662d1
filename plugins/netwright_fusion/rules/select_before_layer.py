"""Outputs of a layer that nobody reads need not be computed."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call
from netwright_fusion.rules.affine_into_weights import channel_dim, with_weights
from netwright_fusion.rules.convolution import convolution_of
from netwright_fusion.rules.matching import has_one_user, label, positive, rank, same_sizes, source
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
PICKS = (aten.slice.Tensor, aten.select.int, aten.index_select.default)


class SelectRowsBeforeLinear(NodeRule):
    """Linear, then some of its rows (the last token, say): these rows first.

    Each row of x Wᵀ + b depends on the same row of x only.
    """

    name = "rows picked before linear"
    reason = "Rows that nobody reads need no products."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A slice or selection of a linear layer's output in another dimension than the last, its only use."""
        linear = node.args[0] if is_call(node, *PICKS) else None
        if not has_one_user(linear) or not is_call(linear, aten.linear.default):
            return None
        given = arguments(linear)
        if positive(arguments(node)["dim"], rank(linear)) == rank(linear) - 1 or rank(given["weight"]) != 2:
            return None
        if same_sizes(linear, node):
            return None

        def build(graph: fx.Graph) -> fx.Node:
            rest = {**arguments(node), "dim": positive(arguments(node)["dim"], rank(linear))}
            picked = call(graph, node.target, given["input"], *list(rest.values())[1:])  # type: ignore[arg-type]
            return call(graph, aten.linear.default, picked, given["weight"], given["bias"])

        return Rewrite(f"{label(linear)} -> of the rows that are used", (linear, node), build)


class SelectChannels(NodeRule):
    """Linear or convolution, then a slice of its output channels: the slice of its weight and bias.

    Output channel c depends on row c of weight and bias only.
    """

    name = "channels picked from weights"
    reason = "Channels that nobody reads need no products."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A slice along the channels of a layer, its only use."""
        if not is_call(node, aten.slice.Tensor) or not has_one_user(node.args[0]):
            return None
        layer, given = source(node), arguments(node)
        channels, conv = channel_dim(layer), convolution_of(layer)
        if channels is None or positive(given["dim"], rank(layer)) != channels or same_sizes(layer, node):
            return None
        if conv is not None and conv.groups != 1:
            return None
        rows = 1 if conv and conv.transposed else 0

        def build(graph: fx.Graph) -> fx.Node:
            weight, bias = arguments(layer)["weight"], arguments(layer)["bias"]
            part = [given[key] for key in ("start", "end", "step")]
            weight = call(graph, aten.slice.Tensor, weight, rows, *part)
            bias = bias and call(graph, aten.slice.Tensor, bias, 0, *part)
            return with_weights(graph, layer, weight, bias)

        return Rewrite(f"{label(layer)} -> with the channels that are used", (layer, node), build)
