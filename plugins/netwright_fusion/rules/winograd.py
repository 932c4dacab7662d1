"""A convolution with a small kernel takes fewer products on tiles: minimal filtering, after Winograd."""

from dataclasses import replace
from math import prod

import torch
from torch import fx

from netwright_fusion.graph import call, dtype, elements, value
from netwright_fusion.rules.channels_last import dense_before_norms
from netwright_fusion.rules.convolution import Convolution, convolution_of, plain_weight
from netwright_fusion.rules.infinity import stays_finite
from netwright_fusion.rules.layout import with_layouts
from netwright_fusion.rules.matching import is_fixed, label
from netwright_fusion.rules.rule import NodeRule, Rewrite, Site
from netwright_fusion.rules.tiles import convolution_by_tiles, tile_weights

aten = torch.ops.aten
TILE = 6
TRANSFORM = 45
"""What a value costs to transform and to move, in products; see benchmarks/convolution_by_tiles.py."""
READ = 20
"""What a weight costs to read, in products: there are four times as many of them."""
GAIN = 0.9
"""A convolution by tiles has to promise that much less."""
MOST_ELEMENTS = 1 << 24
"""Of the input: operator by operator, transforms hold several times as many."""


class Winograd(NodeRule):
    """A convolution with steps of 1: tiles of 6 x 6, in which every product serves several outputs.

    For the transforms y = Aᵀ [(G w) ⊙ (Bᵀ x)] see `netwright_fusion.rules.tiles`. Dimensions are independent, so that a
    tile takes 36 products for 4 x 4 outputs of a 3 x 3 kernel, which are 144 otherwise. Sums over channels (and over a
    depth, where there is one) come between the transforms, one matrix product for each of the 36. G w is computed once.
    A transposed convolution with steps of 1 is a plain one with its kernel reversed. A special value reaches its whole
    tiles, so that all has to be finite.
    """

    name = "convolution by tiles (Winograd)"
    reason = "In a tile of 6 x 6 each product serves several outputs; transforms take sums only."
    conditions = "fixed weights"
    measured = True
    compiled = True
    needs_finite = True
    spreads = True

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """On the CPU (GPUs' libraries do this themselves), a convolution of images or volumes with steps of 1, a kernel
        of 2 to 5 elements and enough to compute.
        """
        conv = _plain(convolution_of(node))
        if conv is None or not is_fixed(conv.weight) or dtype(node) not in (torch.float32, torch.float64):
            return None
        if value(node).device.type != "cpu":
            return None
        if conv.groups != 1 or {*conv.stride, *conv.dilation} != {1}:
            return None
        if not all(1 < size < TILE for size in conv.kernel[-2:]):
            return None
        if elements(conv.source) > MOST_ELEMENTS or not self.pays(conv, elements(node) // conv.channels_out):
            return None
        if not stays_finite(conv.source):
            return None
        return Rewrite(f"{label(node)} -> tiles of 6 x 6", (node,), lambda graph: _build(graph, conv))

    def pays(self, conv: Convolution, positions: int) -> bool:
        """Whether products saved outweigh what transforms cost.

        Args:
            positions: How many there are in all outputs of one channel.
        """
        sizes = list(zip(conv.spatial_out[-2:], conv.kernel[-2:], strict=True))
        tiles = prod(-(-size // (TILE + 1 - reach)) for size, reach in sizes)
        count = positions // prod(size for size, _ in sizes) * tiles
        each = 1 + TRANSFORM * (1 / conv.channels_in + 1 / conv.channels_out)
        return TILE**2 * (count * each + READ) < GAIN * positions * prod(reach for _, reach in sizes)

    def apply(self, graph: fx.GraphModule, site: Site) -> None:
        """Rewrite one site; what comes after it gets a pixel's channels side by side."""

        def change() -> None:
            super(Winograd, self).apply(graph, site)
            dense_before_norms(graph)

        with_layouts(graph, change)


def _plain(conv: Convolution | None) -> Convolution | None:
    """A convolution whose padding, if it is transposed, is that of the plain one that does the same; None if none."""
    if conv is None or conv.spatial == 1:
        return None
    if not conv.transposed:
        return conv
    padding = tuple(size - 1 - pad for size, pad in zip(conv.kernel, conv.padding, strict=True))
    return None if min(padding) < 0 or any(conv.output_padding) else replace(conv, padding=padding)


def _build(graph: fx.Graph, conv: Convolution) -> fx.Node:
    weight = conv.weight
    if conv.transposed:
        weight = call(graph, aten.flip.default, plain_weight(graph, conv), list(range(2, 2 + conv.spatial)))
    values = call(graph, tile_weights, weight)
    return call(graph, convolution_by_tiles, conv.source, values, conv.bias, conv.kernel, conv.padding)
