"""A linear layer of something that was repeated, alone or beside something else, can be applied before repeating."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx
from torch.fx.experimental.symbolic_shapes import statically_known_true

from netwright_fusion.graph import arguments, call, is_call, is_tensor, shape
from netwright_fusion.rules.convolution import convolution_of, convolve
from netwright_fusion.rules.matching import has_one_user, known, label, positive, rank, shares_memory, size_of
from netwright_fusion.rules.rule import NodeRule, Rewrite
from netwright_fusion.rules.upsampled_convolution import upsampling_of

aten = torch.ops.aten
FLOPS_PER_BYTE = 8
"""About what a CPU core multiplies and adds while it moves one byte to or from memory."""
FLOAT = 4
"""Bytes."""


@dataclass(frozen=True)
class Part:
    """Some channels of a layer's input.

    Attributes:
        node: They as the layer is given them.
        core: What they are copies of, with size 1 wherever `copied`; the node itself where they are none.
        copied: The dimensions along which all elements are the same.
        start, end: Where they are among the layer's input channels.
    """

    node: fx.Node
    core: fx.Node
    copied: frozenset[int]
    start: int
    end: int


class LayerOfCopies(NodeRule):
    """Something repeated, or concatenated with something repeated, then a linear layer: the layer of what there was.

    W [x; z] + b = W₁ x + W₂ z + b with W's columns divided as the input is. Where z is the same in n rows, W₂ z need be
    computed once for them, and is added to each: of features of a whole beside those of its points, of one state beside
    a sequence, or of all pairs of two sets, whose concatenation is never made. A convolution with a kernel of one
    element is such a layer at each position. Special values meet the same factors on both sides.
    """

    name = "layer of copies"
    reason = "A linear layer of copies is copies of the layer's output, and a sum of those of its input's parts."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A linear layer or pointwise convolution of copies, or of a concatenation with enough copied channels."""
        channels = _channels(node)
        if channels is None:
            return None
        parts = _parts(arguments(node)["input"], channels)
        copies = [part for part in parts if part.copied]
        if not copies or not _is_worth_it(parts, shape(node)[channels]):
            return None
        if len(parts) == 1:
            if is_call(parts[0].node, aten.expand_as.default):
                return None
            return Rewrite(
                f"{label(node)} -> before {parts[0].node.name}", (parts[0].node, node), _repeat(node, parts[0])
            )
        if frozenset.intersection(*(part.copied for part in parts)):
            return None
        names = ", ".join(part.node.name for part in copies)
        return Rewrite(f"{label(node)} -> before {names}", (arguments(node)["input"], node), _sum(node, parts))


def _channels(layer: fx.Node) -> int | None:
    """The dimension of its input in which a layer mixes channels, position by position; None of other layers."""
    if is_call(layer, aten.linear.default) and rank(arguments(layer)["weight"]) == 2:
        return rank(arguments(layer)["input"]) - 1
    conv = convolution_of(layer)
    if conv is None or conv.transposed or conv.groups != 1:
        return None
    return 1 if {*conv.kernel, *conv.stride} == {1} and not any(conv.padding) else None


def _parts(source: fx.Node, channels: int) -> list[Part]:
    nodes = [source]
    if is_call(source, aten.cat.default) and has_one_user(source):
        given = arguments(source)
        if positive(given["dim"], rank(source)) == channels and all(
            rank(each) == rank(source) for each in given["tensors"]
        ):
            nodes = list(given["tensors"])
    parts, start = [], 0
    for node in nodes:
        size = size_of(node, channels)
        if size is None:
            return []
        core = _core(node)
        copied = frozenset(_copied(core, node)) if core is not None else frozenset()
        if core is None or channels in copied:
            core, copied = node, frozenset()
        parts.append(Part(node, core, copied, start, start + size))
        start += size
    return parts


def _core(node: fx.Node) -> fx.Node | None:
    """What a node repeats elements of, along dimensions of size 1; None where it does something else."""
    if is_call(node, aten.expand.default, aten.expand_as.default):
        return arguments(node)["self"] if rank(arguments(node)["self"]) == rank(node) else None
    if is_call(node, aten.repeat.default):
        given = arguments(node)
        core, counts = given["self"], given["repeats"]
        alone = len(counts) == rank(core) and all(
            _is_one(size) or (known(count) and count == 1) for size, count in zip(shape(core), counts, strict=True)
        )
        return core if alone else None
    image = upsampling_of(node)
    return image.source if image is not None and set(image.before) == {1} else None


def _copied(core: fx.Node, node: fx.Node) -> list[int]:
    return [dim for dim, size in enumerate(shape(core)) if _is_one(size) and not _is_one(shape(node)[dim])]


def _is_one(size: Any) -> bool:
    return statically_known_true(size == 1)


def _is_worth_it(parts: list[Part], outputs: int) -> bool:
    """Whether less work is left, although a sum must be read and written, per row of the output."""
    if all(part.copied for part in parts):
        return True
    columns = sum(part.end - part.start for part in parts if part.copied)
    saved = 2 * columns * outputs / FLOPS_PER_BYTE + 2 * columns * FLOAT
    return saved > 3 * outputs * FLOAT


def _layer(graph: fx.Graph, layer: fx.Node, source: fx.Node, ranges: list[tuple[int, int]], bias: Any) -> fx.Node:
    """The layer of some of its channels."""
    weight = columns(graph, arguments(layer)["weight"], ranges)
    if is_call(layer, aten.linear.default):
        return call(graph, aten.linear.default, source, weight, bias)
    return convolve(graph, source, weight, bias)


def columns(graph: fx.Graph, weight: fx.Node, ranges: list[tuple[int, int]], dim: int = 1) -> fx.Node:
    """What some input channels, from each start to end, meet of a weight that has them in a dimension."""
    if ranges == [(0, shape(weight)[dim])]:
        return weight
    slices = [call(graph, aten.slice.Tensor, weight, dim, start, end) for start, end in ranges]
    return slices[0] if len(slices) == 1 else call(graph, aten.cat.default, slices, dim)


def _sum(layer: fx.Node, parts: list[Part]) -> Callable[[fx.Graph], fx.Node]:
    whole = [part for part in parts if not part.copied]
    copies = [part for part in parts if part.copied]

    def build(graph: fx.Graph) -> fx.Node:
        bias, terms = arguments(layer)["bias"], []
        if whole:
            nodes = [part.node for part in whole]
            dim = _channels(layer)
            source = nodes[0] if len(nodes) == 1 else call(graph, aten.cat.default, nodes, dim)
            terms.append((source, [(part.start, part.end) for part in whole]))
        terms += [(part.core, [(part.start, part.end)]) for part in copies]
        total = None
        for source, ranges in reversed(terms):
            last = total is not None and source is terms[0][0]
            term = _layer(graph, layer, source, _joined(ranges), bias if last else None)
            total = term if total is None else call(graph, aten.add.Tensor, term, total)
        assert total is not None
        return total

    return build


def _joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranges, those that follow each other as one."""
    joined: list[tuple[int, int]] = []
    for start, end in ranges:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _repeat(layer: fx.Node, part: Part) -> Callable[[fx.Graph], fx.Node]:
    """The layer's output repeated as its input was, in memory of its own where it is returned."""

    def build(graph: fx.Graph) -> fx.Node:
        small = _layer(graph, layer, part.core, [(part.start, part.end)], arguments(layer)["bias"])
        _, *rest = arguments(part.node).values()
        if not is_call(part.node, aten.expand.default):
            return call(graph, part.node.target, small, *rest)  # type: ignore[arg-type]
        sizes = [-1 if index == _channels(layer) else size for index, size in enumerate(rest[0])]
        copies = call(graph, aten.expand.default, small, sizes)
        kept = any(user.op == "output" or (is_tensor(user) and shares_memory(user, layer)) for user in layer.users)
        return call(graph, aten.contiguous.default, copies) if kept else copies

    return build
