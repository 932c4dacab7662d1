"""A layer plus or minus the mean of its own outputs is a layer."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call
from netwright_fusion.rules.affine_into_weights import channel_dim, with_weights
from netwright_fusion.rules.convolution import convolution_of
from netwright_fusion.rules.matching import label
from netwright_fusion.rules.reduction import Reduction, reduce, reduction_of
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class OwnMeanIntoWeights(NodeRule):
    """A linear layer or convolution, less (or plus) the mean or sum of its outputs at each place: centred weights.

    With y = W x + b, yₒ - meanₒ y = (Wₒ - meanₒ W) x + (bₒ - meanₒ b), and so with sums, with plus, and the other way
    round. An infinite x makes every output at its places infinite or NaN, and does so with the other weights.
    """

    name = "own mean into weights"
    reason = "The mean of a layer's outputs is linear in its input, like the layer, and can be subtracted from weights."
    conditions = "fixed weights"
    keeps_nan = False

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A sum or difference of a layer and of its mean or sum over channels, that nobody else needs."""
        if not is_call(node, aten.add.Tensor, aten.sub.Tensor) or arguments(node)["alpha"] != 1:
            return None
        for layer, reduced in (node.args[:2], node.args[1::-1]):
            found = reduction_of(reduced) if isinstance(reduced, fx.Node) else None
            if found is not None and found.source is layer and _fits(found) and set(layer.users) == {reduced, node}:
                return Rewrite(
                    f"{label(layer)} and its {found.kind} -> one layer",
                    (layer, node),
                    lambda graph, found=found: _build(graph, found, node),  # type: ignore[misc]
                )
        return None


def _fits(found: Reduction) -> bool:
    """Whether the channels of a layer are reduced, all of which read the same inputs."""
    conv, dim = convolution_of(found.source), channel_dim(found.source)
    if dim is None or (conv is not None and conv.groups != 1):
        return False
    return found.is_linear and found.keepdim and found.dims == (dim,) and found.count not in (None, 1)


def _build(graph: fx.Graph, found: Reduction, total: fx.Node) -> fx.Node:
    given, conv = arguments(found.source), convolution_of(found.source)
    rows = 1 if conv is not None and conv.transposed else 0

    def combined(own: fx.Node, dim: int) -> fx.Node:
        reduced = reduce(graph, found.kind, own, (dim,), keepdim=True)
        operands = (own, reduced) if total.args[0] is found.source else (reduced, own)
        return call(graph, total.target, *operands)  # type: ignore[arg-type]

    bias = given["bias"] and combined(given["bias"], 0)
    return with_weights(graph, found.source, combined(given["weight"], rows), bias)
