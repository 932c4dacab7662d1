"""What is added to everything that a normalisation averages is subtracted with the mean."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call, shape
from netwright_fusion.rules.affine import Operand, affine_of
from netwright_fusion.rules.affine_into_weights import channel_dim, with_weights
from netwright_fusion.rules.matching import has_one_user, label, positive, rank
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
SOFTMAXES = (aten.softmax.int, aten.log_softmax.int)


class NormShift(NodeRule):
    """A shift, then a normalisation that averages everything which the shift moves alike: no shift.

    norm(x + t) subtracts mean(x + t) = mean x + t if t is the same for all elements of a mean; variances do not change
    either. Instance norm takes a t per channel, group and layer norm one for all. Softmax over a dimension is
    exp(xᵢ + t) / Σ exp(xⱼ + t), and the factors exp t cancel. NaN reaches what it did before.
    """

    name = "shift cancelled by normalisation"
    reason = "The normalisation subtracts the mean, and with it what was added to all of its elements."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A normalisation of something that was shifted for it alone."""
        averaged = averaged_dims(node)
        if averaged is None:
            return None
        shifted = next(iter(arguments(node).values()))
        affine = affine_of(shifted)
        if affine is None or affine.shift is None or not has_one_user(shifted):
            return None
        if not _is_constant(affine.shift, rank(shifted), averaged):
            return None

        def build(graph: fx.Graph) -> fx.Node:
            return call(graph, node.target, affine.source, *list(arguments(node).values())[1:])  # type: ignore[arg-type]

        return Rewrite(f"{shifted.name} -> nothing before {node.name}", (shifted, node), build)


class NormBias(NodeRule):
    """A layer's bias under a normalisation per channel: none.

    The bias is a shift per output channel, which instance norm, or group norm with one channel per group, subtracts
    again with the channel's mean.
    """

    name = "bias cancelled by normalisation"
    reason = "The normalisation subtracts each channel's mean, and with it the bias."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A normalisation per channel of a convolution with bias that nobody else needs."""
        averaged = averaged_dims(node)
        layer = next(iter(arguments(node).values())) if averaged is not None else None
        if averaged is None or 1 in averaged or node.target in SOFTMAXES or not has_one_user(layer):
            return None
        if channel_dim(layer) != 1 or arguments(layer)["bias"] is None or rank(layer) < 3:
            return None

        def build(graph: fx.Graph) -> fx.Node:
            plain = with_weights(graph, layer, arguments(layer)["weight"], None)
            return call(graph, node.target, plain, *list(arguments(node).values())[1:])  # type: ignore[arg-type]

        return Rewrite(f"{label(layer)} -> without bias before {node.name}", (layer, node), build)


def averaged_dims(node: fx.Node) -> tuple[int, ...] | None:
    """The dimensions over which a call normalises by its input's own statistics and nothing else, or None.

    NB: group norm's channels count as averaged, unless each is a group of its own.
    """
    if is_call(node, *SOFTMAXES):
        given = arguments(node)
        return (positive(given["dim"], rank(given["self"])),) if given["dtype"] is None else None
    if is_call(node, aten.instance_norm.default):
        given = arguments(node)
        own = given["use_input_stats"] and given["running_mean"] is None
        return tuple(range(2, rank(given["input"]))) if own else None
    if is_call(node, aten.group_norm.default):
        given = arguments(node)
        first = 2 if shape(given["input"])[1] == given["num_groups"] else 1
        return tuple(range(first, rank(given["input"])))
    if is_call(node, aten.layer_norm.default):
        given = arguments(node)
        dims = rank(given["input"])
        return tuple(range(dims - len(given["normalized_shape"]), dims))
    return None


def _is_constant(shift: Operand, dims: int, averaged: tuple[int, ...]) -> bool:
    if not isinstance(shift, fx.Node):
        return True
    sizes = shape(shift)
    offset = dims - len(sizes)
    return all(sizes[dim - offset] == 1 for dim in averaged if dim >= offset)
