"""Direct convolutions of few channels: taps are gathered as the product needs them, and nothing is unfolded."""

from typing import Any

from torch import fx

from netwright_fusion.graph import arguments, shape, static_tail
from netwright_fusion.kernels.frame import Frame
from netwright_fusion.kernels.index import Axis, Index, Position, offset, split
from netwright_fusion.kernels.operators import operator_name
from netwright_fusion.kernels.products import ProductTemplate, Step, across, along, is_plain_product
from netwright_fusion.kernels.signature import Signature, structure

FEW_CHANNELS = 16
"""Input channels up to which cuDNN's kernels, made for many, leave room."""
NAMES = {1: ("x",), 2: ("y", "x"), 3: ("z", "y", "x")}
"""Spatial dimensions, as they are called in kernels."""


class Convolution(ProductTemplate):
    """`conv1d`, `conv2d` and `conv3d` without groups: rows are output places, columns are channels."""

    name = "convolution"
    reason = "few channels leave most of a library's tile empty, and the result is used before it is stored"

    def matches(self, node: fx.Node) -> bool:
        """Convolutions without groups, of places that are known."""
        if operator_name(node) not in ("conv1d", "conv2d", "conv3d"):
            return False
        given = arguments(node)
        plain = is_plain_product(node, given["input"], given["weight"], given["bias"])
        known = static_tail(node) is not None and static_tail(given["input"]) is not None
        dims = len(shape(given["weight"])) - 2
        batched = len(shape(node)) == dims + 2
        return plain and known and batched and given["groups"] == 1 and not isinstance(given["padding"], str)

    def worthwhile(self, node: fx.Node) -> bool:
        """With few channels."""
        return int(shape(arguments(node)["weight"])[1]) <= FEW_CHANNELS

    def frame(self, node: fx.Node) -> Frame:
        """Output places are rows, channels are columns."""
        return Frame(structure(node), (1,), 1, shape(node))

    def depth(self, node: fx.Node) -> int:
        """Input channels times taps."""
        depth = 1
        for size in shape(arguments(node)["weight"])[1:]:
            depth *= int(size)
        return depth

    def step(self, node: fx.Node, signature: Signature, full: Position, *, masked: bool) -> Step:
        """Taps of the input around each output place; the weight as it is stored."""
        given = arguments(node)
        source, weight = signature.input(given["input"]), signature.input(given["weight"])
        channels, *taps = (int(size) for size in shape(given["weight"])[1:])
        names = NAMES[len(taps)]
        counted = split(Index("depth"), [channels, *taps])
        masks = ("depth_mask",) if masked else ()
        before, inside = [], [f"channel = {counted[0].index.text}"]
        places: list[Axis] = []
        steps, paddings, dilations = (per_dimension(given[key], len(taps)) for key in ("stride", "padding", "dilation"))
        for number, (name, axis) in enumerate(zip(names, full[2:], strict=True)):
            size = int(shape(given["input"])[2 + number])
            before.append(f"first_{name} = {axis.index.times(steps[number]).minus(paddings[number]).text}")
            tap = counted[1 + number].index.times(dilations[number])
            inside.append(f"tap_{name} = {'depth * 0' if tap.zero else tap.text}")
            inside.append(f"at_{name} = first_{name} + tap_{name}[None, :]")
            inside.append(f"inside_{name} = (at_{name} >= 0) & (at_{name} < {size})")
            places.append(Axis(size, Index(f"at_{name}", frozenset({f"inside_{name}", "row_mask"}))))
        left = (full[0], Axis(channels, across("channel", *masks)), *places)
        right = (full[1], *split(along("depth", *masks), [channels, *taps]))
        return Step(
            (source, offset(left, source.strides)),
            (weight, offset(right, weight.strides)),
            tuple(before),
            tuple(inside),
        )


def per_dimension(given: Any, dimensions: int) -> list[int]:
    """A stride, padding or dilation for each spatial dimension, however it was given."""
    values = [given] if isinstance(given, int) else [int(each) for each in given]
    return values * dimensions if len(values) == 1 else values
