"""A transposed convolution is plain convolutions of its input, one per phase of its stride."""

from itertools import product
from math import prod

import torch
from torch import fx

from netwright_fusion.graph import call, shape
from netwright_fusion.rules.convolution import Convolution, convolution_of, convolve, padded, plain_weight
from netwright_fusion.rules.matching import is_fixed, label
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
MOST_PHASES = 8


class TransposedPhases(NodeRule):
    """Transposed convolution of stride s: per dimension s plain convolutions, whose outputs take turns.

    yₒ = Σᵢ x[i] W[o + p - s i]. For o = s j + f only kernel elements k with k ≡ f + p modulo s take part: with
    k = k₀ + s t, k₀ = (f + p) mod s and i = j + (f + p - k₀) / s - t, y[s j + f] is a plain convolution of x with
    W[k₀], W[k₀ + s], …, last first. No zeros are put between the input's elements. With stride 1 there is one phase:
    a plain convolution with the kernel reversed.
    """

    name = "transposed convolution by phases"
    reason = "Each phase of a transposed convolution is a plain convolution, for which there may be better kernels."
    conditions = "fixed weights"
    measured = True

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A transposed convolution with weights of its own, whose kernel reaches every phase."""
        conv = convolution_of(node)
        if conv is None or not conv.transposed or not is_fixed(conv.weight) or prod(conv.stride) > MOST_PHASES:
            return None
        if any(k < s for k, s in zip(conv.kernel, conv.stride, strict=True)):
            return None
        if set(conv.dilation) != {1} and set(conv.stride) != {1}:
            return None

        def build(graph: fx.Graph) -> fx.Node:
            return _single(graph, conv) if set(conv.stride) == {1} else _phases(graph, conv)

        return Rewrite(f"{label(node)} -> {prod(conv.stride)} plain convolutions", (node,), build)


def _single(graph: fx.Graph, conv: Convolution) -> fx.Node:
    weight = call(graph, aten.flip.default, plain_weight(graph, conv), list(range(2, 2 + conv.spatial)))
    sizes = zip(conv.kernel, conv.padding, conv.dilation, strict=True)
    padding = tuple(step * (size - 1) - cut for size, cut, step in sizes)
    source = conv.source
    if min(padding) < 0 or any(conv.output_padding):
        sides = zip(padding, conv.output_padding, strict=True)
        source = padded(graph, source, [(before, before + more) for before, more in sides])
        padding = (0,) * conv.spatial
    return convolve(graph, source, weight, conv.bias, padding=padding, dilation=conv.dilation, groups=conv.groups)


def _phases(graph: fx.Graph, conv: Convolution) -> fx.Node:
    weight = plain_weight(graph, conv)
    counts = [-(-size // step) for size, step in zip(conv.spatial_out, conv.stride, strict=True)]
    images = []
    for phase in product(*[range(step) for step in conv.stride]):
        kernel, sides = weight, []
        for index, offset in enumerate(phase):
            step, size = conv.stride[index], conv.kernel[index]
            first = (offset + conv.padding[index]) % step
            taps = -(-(size - first) // step)
            start = (offset + conv.padding[index] - first) // step
            kernel = call(graph, aten.slice.Tensor, kernel, 2 + index, first, size, step)
            before, after = taps - 1 - start, counts[index] - 1 + start - (conv.spatial_in[index] - 1)
            sides.append((before, after))
        kernel = call(graph, aten.flip.default, kernel, list(range(2, 2 + conv.spatial)))
        images.append(convolve(graph, padded(graph, conv.source, sides), kernel, conv.bias, groups=conv.groups))
    return _take_turns(graph, images, conv)


def _take_turns(graph: fx.Graph, images: list[fx.Node], conv: Convolution) -> fx.Node:
    """One image out of those of all phases, which lie side by side from the last dimension on."""
    for index in reversed(range(conv.spatial)):
        step, dim = conv.stride[index], 2 + index
        images = [
            call(graph, aten.stack.default, images[at : at + step], dim + 1) for at in range(0, len(images), step)
        ]
        images = [call(graph, aten.flatten.using_ints, each, dim, dim + 1) for each in images]
    whole = images[0]
    for index, size in enumerate(conv.spatial_out):
        if shape(whole)[2 + index] != size:
            whole = call(graph, aten.slice.Tensor, whole, 2 + index, 0, size)
    return call(graph, aten.contiguous.default, whole)
