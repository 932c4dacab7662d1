"""BatchNorm in eval mode is a scale and a shift per channel, which the layer before it can have in its weights."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call
from netwright_fusion.rules.affine import Affine
from netwright_fusion.rules.affine_into_weights import channel_dim, with_affine
from netwright_fusion.rules.matching import has_one_user, is_fixed, label
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class BatchNormIntoWeights(NodeRule):
    """Linear, convolution or transposed convolution, then BatchNorm in eval mode: another weight and bias.

    BN(y) = g (y - μ) / √(v + ε) + β = s y + (β - s μ) with s = g / √(v + ε), and s (W x + b) + (β - s μ) =
    (s W) x + (s b + β - s μ), per output channel.
    """

    name = "BatchNorm into weights"
    reason = "With fixed statistics, BatchNorm is a scale and a shift, and the layer before it can do both."
    conditions = "eval only"

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """BatchNorm with running statistics of a layer that nobody else needs, channels in dimension 1."""
        if not is_call(node, aten.batch_norm.default):
            return None
        given = arguments(node)
        layer, fixed = given["input"], [given[key] for key in ("weight", "bias", "running_mean", "running_var")]
        if given["training"] or given["running_mean"] is None or not has_one_user(layer) or channel_dim(layer) != 1:
            return None
        if not all(each is None or is_fixed(each) for each in fixed):
            return None
        return Rewrite(f"{label(node)} -> weights of {label(layer)}", (layer, node), lambda graph: _build(graph, node))


def _build(graph: fx.Graph, node: fx.Node) -> fx.Node:
    scale, shift = scale_and_shift(graph, node)
    layer = with_affine(graph, arguments(node)["input"], Affine(node, scale=scale))
    return with_affine(graph, layer, Affine(node, shift=shift))


def scale_and_shift(graph: fx.Graph, node: fx.Node) -> tuple[fx.Node, fx.Node]:
    """What BatchNorm in eval mode multiplies each channel with, and what it then adds."""
    given = arguments(node)
    variance = call(graph, aten.add.Tensor, given["running_var"], given["eps"])
    scale = call(graph, aten.rsqrt.default, variance)
    scale = scale if given["weight"] is None else call(graph, aten.mul.Tensor, given["weight"], scale)
    shift = call(graph, aten.mul.Tensor, given["running_mean"], scale)
    if given["bias"] is None:
        return scale, call(graph, aten.neg.default, shift)
    return scale, call(graph, aten.sub.Tensor, given["bias"], shift)
