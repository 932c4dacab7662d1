"""A convolution of an enlarged image can be computed from the image as it was."""

from dataclasses import dataclass
from math import prod

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call, shape
from netwright_fusion.rules.convolution import TRANSPOSED, Convolution, convolution_of, convolve_like
from netwright_fusion.rules.convolution_average_pool import averaged_kernel
from netwright_fusion.rules.matching import has_one_user, known, label, rank
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
NEAREST = (
    aten.upsample_nearest1d,
    aten.upsample_nearest2d,
    aten.upsample_nearest3d,
    aten._upsample_nearest_exact1d,
    aten._upsample_nearest_exact2d,
    aten._upsample_nearest_exact3d,
)
SMOOTH = (aten.upsample_linear1d, aten.upsample_bilinear2d, aten.upsample_bicubic2d, aten.upsample_trilinear3d)
FACTORS = frozenset({1, 2, 3, 4, 8, 16})
"""Whole factors for which the nearest pixel is found without a rounding error."""


@dataclass(frozen=True)
class Upsampling:
    """An interpolation of a batch of images with known sizes.

    Attributes:
        before, after: The spatial sizes.
        nearest: Whether each pixel is a copy of one of the input's.
    """

    source: fx.Node
    before: tuple[int, ...]
    after: tuple[int, ...]
    nearest: bool

    @property
    def factors(self) -> tuple[int, ...] | None:
        """How many times each pixel is repeated along each dimension; None where that is no whole number."""
        found = tuple(large // small for small, large in zip(self.before, self.after, strict=True))
        whole = all(
            small * factor == large for small, factor, large in zip(self.before, found, self.after, strict=True)
        )
        return found if self.nearest and whole and FACTORS.issuperset(found) else None


def upsampling_of(node: object) -> Upsampling | None:
    """The node as an interpolation, or None."""
    if not isinstance(node, fx.Node) or not is_call(node, *NEAREST, *SMOOTH):
        return None
    source = next(iter(arguments(node).values()))
    before, after = shape(source)[2:], shape(node)[2:]
    if not all(known(size) for size in (*before, *after)):
        return None
    return Upsampling(source, before, after, is_call(node, *NEAREST))


class ConvolutionOfUpsampling(NodeRule):
    """Each pixel repeated r times in each dimension, then convolution: one transposed convolution with stride r.

    In one dimension u[q] = x[⌊q / r⌋] and yₒ = Σₖ Wₖ u[o + k - p] = Σᵢ x[i] Σ_{q < r} W[r i + q - o + p]. A transposed
    convolution with stride r and padding p' = K - 1 - p has yₒ = Σᵢ x[i] T[o + p' - r i], the same for
    T[m] = Σ_{q < r} W[K - 1 - m + q], 0 ≤ m < K + r - 1. Both have r H + 2 p - K + 1 outputs. K + r - 1 products per
    pixel are left of r K, for each dimension, and the enlarged image is never made. Each T[m] has at least one term, so
    that special values reach the same outputs.
    """

    name = "convolution of upsampling"
    reason = "Copies of a pixel can share one product with the sum of the kernel's elements that meet them."
    keeps_nan = False

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A convolution with steps of 1 of an image enlarged for it alone, by whole numbers and the nearest pixel."""
        conv = convolution_of(node)
        image = upsampling_of(conv.source) if conv and has_one_user(conv.source) else None
        factors = image.factors if image else None
        if conv is None or image is None or factors is None or conv.transposed or conv.groups != 1:
            return None
        if {*conv.stride, *conv.dilation} != {1} or set(conv.kernel) == {1} or set(factors) == {1}:
            return None
        if any(pad >= size for pad, size in zip(conv.padding, conv.kernel, strict=True)):
            return None
        return Rewrite(
            f"{conv.source.name} and {label(node)} -> one transposed convolution",
            (conv.source, node),
            lambda graph: _transposed(graph, conv, image.source, factors),
        )


class PointwiseBeforeUpsampling(NodeRule):
    """Interpolation, then a convolution with a kernel of one element: the convolution first, for fewer pixels.

    Each interpolated pixel is Σ_q a_q x[q], the a_q alike for all channels and adding up to 1; the convolution mixes
    channels: W Σ_q a_q x[q] + b = Σ_q a_q (W x[q] + b). Special values meet the same factors on both sides.
    """

    name = "pointwise convolution before upsampling"
    reason = "A convolution of single pixels commutes with interpolation, and there are fewer pixels before."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A pointwise convolution of an image that was enlarged for it alone, without many more channels after it."""
        conv = convolution_of(node)
        image = upsampling_of(conv.source) if conv and has_one_user(conv.source) else None
        if conv is None or image is None or conv.transposed or prod(image.before) >= prod(image.after):
            return None
        if {*conv.kernel, *conv.stride} != {1} or any(conv.padding) or conv.channels_out > 4 * conv.channels_in:
            return None

        def build(graph: fx.Graph) -> fx.Node:
            small = convolve_like(graph, conv, image.source, conv.weight, conv.bias)
            return call(graph, conv.source.target, small, *list(arguments(conv.source).values())[1:])  # type: ignore[arg-type]

        return Rewrite(f"{label(node)} -> before {conv.source.name}", (conv.source, node), build)


def _transposed(graph: fx.Graph, conv: Convolution, source: fx.Node, factors: tuple[int, ...]) -> fx.Node:
    means = averaged_kernel(graph, conv.weight, factors, (1,) * conv.spatial)
    sums = call(graph, aten.mul.Tensor, means, prod(factors))
    turned = call(graph, aten.flip.default, sums, list(range(2, rank(sums))))
    weight = call(graph, aten.transpose.int, turned, 0, 1)
    padding = [size - 1 - pad for size, pad in zip(conv.kernel, conv.padding, strict=True)]
    return call(graph, TRANSPOSED[conv.spatial - 1], source, weight, conv.bias, list(factors), padding)
