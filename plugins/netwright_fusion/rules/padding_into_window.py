"""Zeros that are put around an image for a convolution or average pool can be the operator's own padding."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call
from netwright_fusion.rules.convolution import average_pool_of, convolution_of, convolve
from netwright_fusion.rules.matching import has_one_user, known, rank
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
PADS = (aten.pad.default, aten.constant_pad_nd.default)


class PaddingIntoWindow(NodeRule):
    """Zeros on all sides, then convolution or average pool: the operator with more padding.

    Both count what lies beyond the border as zeros, as far as they pad. The image with its zeros is never written.
    """

    name = "zeros into padding"
    reason = "Convolutions and average pools know what lies beyond the border without reading it."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A convolution or average pool of an image that was padded for it alone, alike on opposite sides."""
        conv, pool = convolution_of(node), average_pool_of(node)
        window = conv or pool
        if window is None or not has_one_user(window.source) or (conv is not None and conv.transposed):
            return None
        image, sides = window.source, _sides(window.source, window.spatial)
        if sides is None or (pool is not None and (pool.ceil or (any(pool.padding) and not pool.counts_padding))):
            return None
        padding = [own + more for own, more in zip(window.padding, sides, strict=True)]
        if pool is not None and any(2 * pad > size for pad, size in zip(padding, pool.kernel, strict=True)):
            return None

        def build(graph: fx.Graph) -> fx.Node:
            source = arguments(image)["self"]
            if conv is not None:
                settings = {"stride": conv.stride, "dilation": conv.dilation, "groups": conv.groups}
                return convolve(graph, source, conv.weight, conv.bias, padding=tuple(padding), **settings)  # type: ignore[arg-type]
            given = {**arguments(node), "self": source, "padding": padding, "count_include_pad": True}
            return call(graph, node.target, *given.values())  # type: ignore[arg-type]

        return Rewrite(f"{image.name} -> padding of {node.name}", (image, node), build)


def _sides(node: fx.Node, spatial: int) -> list[int] | None:
    """How many zeros a node puts before, and as many after, each of the last dimensions; None if it does not."""
    if not is_call(node, *PADS):
        return None
    given = arguments(node)
    pads = list(given["pad"])
    if given.get("mode", "constant") != "constant" or given["value"] not in (None, 0):
        return None
    if not all(known(pad) and pad >= 0 for pad in pads) or any(pads[2 * spatial :]) or rank(node) < spatial:
        return None
    before, after = pads[: 2 * spatial : 2], pads[1 : 2 * spatial : 2]
    if before != after:
        return None
    return [*[0] * (spatial - len(before)), *reversed(before)]
