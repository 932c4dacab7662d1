"""The sum of two layers of the same input, or of a layer and its input, is one layer."""

from dataclasses import replace
from math import prod

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call, shape
from netwright_fusion.rules.affine_into_weights import channel_dim, with_weights
from netwright_fusion.rules.convolution import Convolution, convolution_of, convolve_like, padded
from netwright_fusion.rules.matching import has_one_user, label, same_sizes
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class SumOfLayers(NodeRule):
    """Two linear layers or convolutions of one input, then their sum or difference: one layer.

    (W x + b) ± (V x + c) = (W ± V) x + (b ± c). Convolutions must take the same steps and have as many outputs; the
    smaller kernel is set in the middle of a larger one of zeros, and the padding becomes the larger one's.
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
            padding = _padding(one, other)
            weight = call(graph, operator, *(_kernel(graph, layer, padding) for layer in (one, other)))  # type: ignore[arg-type]
            biases = [arguments(each)["bias"] for each in (one, other)]
            if None not in biases:
                bias = call(graph, operator, *biases)  # type: ignore[arg-type]
            elif biases[1] is not None and is_call(node, aten.sub.Tensor):
                bias = call(graph, aten.neg.default, biases[1])
            else:
                bias = biases[0] or biases[1]
            conv = convolution_of(one)
            if conv is None:
                return with_weights(graph, one, weight, bias)
            return convolve_like(graph, replace(conv, padding=padding), conv.source, weight, bias)

        return Rewrite(f"{label(one)} and {label(other)} -> one layer", (one, other, node), build)


class ResidualIntoWeights(NodeRule):
    """A linear layer or convolution, then its own input added or subtracted: one layer.

    W x + b ± x = (W ± I) x + b. For a convolution I is 1 at the middle of each channel's own kernel, so that there must
    be a middle, and as many outputs as inputs. x - (W x + b) is the negative of the layer less its input.
    """

    name = "residual into weights"
    reason = "A layer plus its input is a layer with 1 added to its diagonal, which is done once."
    conditions = "fixed weights"
    keeps_nan = False

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A sum or difference of a layer that nobody else needs and the layer's input."""
        if not is_call(node, aten.add.Tensor, aten.sub.Tensor) or arguments(node)["alpha"] != 1:
            return None
        for layer, other in (node.args[:2], node.args[1::-1]):
            if not has_one_user(layer) or channel_dim(layer) is None or arguments(layer)["input"] is not other:
                continue
            if not same_sizes(layer, arguments(layer)["input"]) or not _has_middle(layer):
                continue
            return Rewrite(
                f"{label(layer)} and its input -> one layer",
                (layer, node),
                lambda graph, layer=layer: _with_residual(graph, layer, node),  # type: ignore[misc]
            )
        return None


def _alike(one: fx.Node, other: fx.Node) -> bool:
    """Whether two layers differ in their weights, and the size of their kernels, only."""
    first, second = convolution_of(one), convolution_of(other)
    if (first is None) != (second is None):
        return False
    if arguments(one)["input"] is not arguments(other)["input"]:
        return False
    if shape(arguments(one)["weight"])[:2] != shape(arguments(other)["weight"])[:2]:
        return False
    if first is None or second is None:
        return True
    if _geometry(first) != _geometry(second) or first.spatial_out != second.spatial_out:
        return False
    if (first.kernel, first.padding) == (second.kernel, second.padding):
        return True
    if first.transposed or {*first.dilation} != {1}:
        return False
    padding = _padding(one, other)
    sizes = _sizes(first, padding)
    return sizes == _sizes(second, padding) and prod(sizes) <= prod(first.kernel) + prod(second.kernel)


def _geometry(conv: Convolution) -> tuple[object, ...]:
    return conv.stride, conv.dilation, conv.groups, conv.transposed, conv.output_padding


def _padding(one: fx.Node, other: fx.Node) -> tuple[int, ...]:
    """The larger padding of two convolutions; nothing of linear layers."""
    first, second = convolution_of(one), convolution_of(other)
    return tuple(map(max, first.padding, second.padding)) if first and second else ()


def _sizes(conv: Convolution, padding: tuple[int, ...]) -> tuple[int, ...]:
    """The kernel's sizes with zeros around it where the padding grows, so that outputs stay where they are."""
    return tuple(k + 2 * (new - own) for k, own, new in zip(conv.kernel, conv.padding, padding, strict=True))


def _kernel(graph: fx.Graph, layer: fx.Node, padding: tuple[int, ...]) -> fx.Node:
    """The layer's weight, with zeros around its kernel for a padding that is larger than its own."""
    weight: fx.Node = arguments(layer)["weight"]
    conv = convolution_of(layer)
    if conv is None:
        return weight
    return padded(graph, weight, [(new - own,) * 2 for own, new in zip(conv.padding, padding, strict=True)])


def _has_middle(layer: fx.Node) -> bool:
    """Whether a layer could hand its input on."""
    conv = convolution_of(layer)
    if conv is None:
        return True
    if conv.transposed or conv.groups != 1 or {*conv.stride} != {1}:
        return False
    reach = [d * (k - 1) for d, k in zip(conv.dilation, conv.kernel, strict=True)]
    odd = all(size % 2 for size in conv.kernel)
    return odd and all(2 * pad == size for pad, size in zip(conv.padding, reach, strict=True))


def _with_residual(graph: fx.Graph, layer: fx.Node, total: fx.Node) -> fx.Node:
    weight, bias = arguments(layer)["weight"], arguments(layer)["bias"]
    subtracts = is_call(total, aten.sub.Tensor)
    if subtracts and total.args[1] is layer:
        weight, bias = call(graph, aten.neg.default, weight), bias and call(graph, aten.neg.default, bias)
        subtracts = False
    identity = call(graph, aten.diag.default, call(graph, aten.new_ones.default, weight, [shape(weight)[0]]))
    kernel = shape(weight)[2:]
    if kernel:
        identity = call(graph, aten.reshape.default, identity, [*shape(identity), *[1] * len(kernel)])
        identity = padded(graph, identity, [(size // 2, size // 2) for size in kernel])
    operator = aten.sub.Tensor if subtracts else aten.add.Tensor
    return with_weights(graph, layer, call(graph, operator, weight, identity), bias)
