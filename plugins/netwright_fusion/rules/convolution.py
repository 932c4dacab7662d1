"""Convolutions as one thing: one to three dimensions, plain or transposed, with every argument spelt out."""

from dataclasses import dataclass
from math import prod

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call, shape
from netwright_fusion.rules.matching import known, per_dim, rank

aten = torch.ops.aten
PLAIN = (aten.conv1d.default, aten.conv2d.default, aten.conv3d.default)
PADDED = (aten.conv1d.padding, aten.conv2d.padding, aten.conv3d.padding)
TRANSPOSED = (aten.conv_transpose1d.default, aten.conv_transpose2d.input, aten.conv_transpose3d.input)
AVERAGE_POOLS = (aten.avg_pool1d.default, aten.avg_pool2d.default, aten.avg_pool3d.default)
MAX_POOLS = (aten.max_pool1d.default, aten.max_pool2d.default, aten.max_pool3d.default)


@dataclass(frozen=True)
class Convolution:
    """A convolution of a batched input.

    Attributes:
        source: Its input, (batch, channels in, *spatial).
        weight: (channels out, channels in / groups, *kernel); transposed (channels in, channels out / groups, *kernel).
        bias: (channels out), or None.
        kernel, stride, padding, dilation, output_padding: One number per spatial dimension.
    """

    source: fx.Node
    weight: fx.Node
    bias: fx.Node | None
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    transposed: bool
    output_padding: tuple[int, ...]
    spatial_in: tuple[int, ...]
    spatial_out: tuple[int, ...]

    @property
    def spatial(self) -> int:
        """How many spatial dimensions there are."""
        return len(self.kernel)

    @property
    def channels_out(self) -> int:
        """How many output channels there are."""
        return int(shape(self.weight)[1]) * self.groups if self.transposed else int(shape(self.weight)[0])

    @property
    def channels_in(self) -> int:
        """How many input channels there are."""
        return int(shape(self.weight)[0]) if self.transposed else int(shape(self.weight)[1]) * self.groups

    @property
    def products(self) -> int:
        """Multiplications per sample and pair of channels in a group: positions times kernel elements."""
        return prod(self.spatial_in if self.transposed else self.spatial_out) * prod(self.kernel)


def convolution_of(node: object) -> Convolution | None:
    """The node as a convolution of a batch with known spatial sizes, or None."""
    if not isinstance(node, fx.Node) or not is_call(node, *PLAIN, *PADDED, *TRANSPOSED):
        return None
    transposed = is_call(node, *TRANSPOSED)
    given = arguments(node)
    source, weight = given["input"], given["weight"]
    spatial = rank(weight) - 2
    sizes = (*shape(weight), *shape(source)[2:], *shape(node)[2:])
    if rank(source) != spatial + 2 or not all(known(size) for size in sizes):
        return None
    kernel = tuple(shape(weight)[2:])
    stride, dilation = per_dim(given["stride"], spatial), per_dim(given["dilation"], spatial)
    padding = _padding(given["padding"], kernel, dilation)
    if padding is None:
        return None
    return Convolution(
        source=source,
        weight=weight,
        bias=given["bias"],
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=given["groups"],
        transposed=transposed,
        output_padding=per_dim(given.get("output_padding", 0), spatial),
        spatial_in=tuple(shape(source)[2:]),
        spatial_out=tuple(shape(node)[2:]),
    )


def convolve(
    graph: fx.Graph,
    source: fx.Node,
    weight: fx.Node,
    bias: fx.Node | None,
    *,
    stride: tuple[int, ...] | None = None,
    padding: tuple[int, ...] | None = None,
    dilation: tuple[int, ...] | None = None,
    groups: int = 1,
) -> fx.Node:
    """A new plain convolution."""
    spatial = rank(weight) - 2
    ones = (1,) * spatial
    rest = [list(each) for each in (stride or ones, padding or (0,) * spatial, dilation or ones)]
    return call(graph, PLAIN[spatial - 1], source, weight, bias, *rest, groups)


def convolve_like(
    graph: fx.Graph, conv: Convolution, source: fx.Node, weight: fx.Node, bias: fx.Node | None
) -> fx.Node:
    """A new convolution with other operands and the same arguments."""
    if not conv.transposed:
        return convolve(
            graph,
            source,
            weight,
            bias,
            stride=conv.stride,
            padding=conv.padding,
            dilation=conv.dilation,
            groups=conv.groups,
        )
    lists = [list(each) for each in (conv.stride, conv.padding, conv.output_padding)]
    operator = TRANSPOSED[conv.spatial - 1]
    return call(graph, operator, source, weight, bias, *lists, conv.groups, list(conv.dilation))


def plain_weight(graph: fx.Graph, conv: Convolution) -> fx.Node:
    """A transposed convolution's weight with channels in a plain one's order: (out, in / groups, *kernel)."""
    if conv.groups == 1:
        return call(graph, aten.transpose.int, conv.weight, 0, 1)
    inner, outer = conv.channels_in // conv.groups, conv.channels_out // conv.groups
    grouped = call(graph, aten.reshape.default, conv.weight, [conv.groups, inner, outer, *conv.kernel])
    swapped = call(graph, aten.transpose.int, grouped, 1, 2)
    return call(graph, aten.reshape.default, swapped, [conv.channels_out, inner, *conv.kernel])


def padded(graph: fx.Graph, node: fx.Node, sides: list[tuple[int, int]]) -> fx.Node:
    """The node with zeros before and after each of its last dimensions; negative numbers cut it instead."""
    first = rank(node) - len(sides)
    for dim, (before, after) in enumerate(sides, start=first):
        if before < 0 or after < 0:
            end = shape(node)[dim] + min(after, 0)
            node = call(graph, aten.slice.Tensor, node, dim, max(-before, 0), end)
    pads = [max(side, 0) for pair in reversed(sides) for side in pair]
    return call(graph, aten.constant_pad_nd.default, node, pads) if any(pads) else node


@dataclass(frozen=True)
class Pool:
    """A pool over the last dimensions.

    Attributes:
        spatial: How many dimensions it goes over.
        counts_padding: Of an average: whether zeros beyond the border are counted.
        divisor: Of an average: what the sum is divided by; None for the number of elements.
    """

    source: fx.Node
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    ceil: bool
    counts_padding: bool
    divisor: int | None

    @property
    def spatial(self) -> int:
        """How many dimensions it goes over."""
        return len(self.kernel)

    @property
    def is_plain(self) -> bool:
        """Whether all windows lie inside the input and count the same."""
        return not any(self.padding) and not self.ceil and self.divisor is None and set(self.dilation) == {1}


def average_pool_of(node: object) -> Pool | None:
    """The node as an average pool, or None."""
    return _pool(node, AVERAGE_POOLS)


def max_pool_of(node: object) -> Pool | None:
    """The node as a max-pool without indices, or None."""
    return _pool(node, MAX_POOLS)


def _pool(node: object, operators: tuple[torch._ops.OpOverload, ...]) -> Pool | None:
    if not isinstance(node, fx.Node) or not is_call(node, *operators):
        return None
    spatial = operators.index(node.target) + 1
    given = arguments(node)
    kernel = per_dim(given["kernel_size"], spatial)
    return Pool(
        source=given["self"],
        kernel=kernel,
        stride=per_dim(given["stride"], spatial) if given["stride"] else kernel,
        padding=per_dim(given["padding"], spatial),
        dilation=per_dim(given.get("dilation", 1), spatial),
        ceil=bool(given["ceil_mode"]),
        counts_padding=bool(given.get("count_include_pad", True)),
        divisor=given.get("divisor_override"),
    )


def _padding(
    given: str | int | list[int], kernel: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[int, ...] | None:
    """The padding on both sides, or None where the sides differ."""
    if given == "valid":
        return (0,) * len(kernel)
    if given == "same":
        whole = [step * (size - 1) for step, size in zip(dilation, kernel, strict=True)]
        return None if any(size % 2 for size in whole) else tuple(size // 2 for size in whole)
    assert not isinstance(given, str)
    return per_dim(given, len(kernel))
