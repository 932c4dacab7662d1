"""Layers that read the same input can be one wider layer, whose outputs are then divided."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call, shape
from netwright_fusion.rules.affine_into_weights import channel_dim, with_weights
from netwright_fusion.rules.convolution import convolution_of
from netwright_fusion.rules.layout import with_layouts
from netwright_fusion.rules.matching import label
from netwright_fusion.rules.rule import Rule, Site

aten = torch.ops.aten


class ParallelLayers(Rule):
    """Linear layers, or convolutions of one geometry, with the same input: one with their weights stacked.

    (W x + b, V x + c) is the upper and the lower part of (W; V) x + (b; c). The input is read once, and one large
    product makes better use of a machine than several small ones; the parts are views.
    """

    name = "parallel layers merged"
    reason = "Layers with the same input are parts of one wider layer, which reads the input once."
    conditions = "fixed weights"
    measured = True

    def sites(self, graph: fx.GraphModule) -> Iterator[Site]:
        """Layers that share an input and differ in their weights only."""
        groups: dict[Any, list[fx.Node]] = {}
        for node in graph.graph.nodes:
            key = _key(node)
            if key is not None:
                groups.setdefault(key, []).append(node)
        for nodes in groups.values():
            if len(nodes) > 1:
                yield Site(f"{', '.join(label(node) for node in nodes)} -> one layer ({nodes[0].name})", tuple(nodes))

    def apply(self, graph: fx.GraphModule, site: Site) -> None:
        """Stack weights and biases, and divide the output."""
        with_layouts(graph, _merging(graph, site.nodes))


def _key(node: fx.Node) -> tuple[object, ...] | None:
    """What layers must agree in to be merged; None where a node is no such layer."""
    if node.op != "call_function" or channel_dim(node) is None:
        return None
    given, conv = arguments(node), convolution_of(node)
    bias = given["bias"] is None
    if conv is None:
        return (given["input"], bias) if is_call(node, aten.linear.default) else None
    if conv.groups != 1 or conv.transposed:
        return None
    return given["input"], bias, conv.kernel, conv.stride, conv.padding, conv.dilation


def _merging(graph: fx.GraphModule, nodes: tuple[fx.Node, ...]) -> Callable[[], None]:
    def merge() -> None:
        given = [arguments(node) for node in nodes]
        channels = channel_dim(nodes[0])
        for each in given:
            _move(each["weight"], nodes[0])
            _move(each["bias"], nodes[0])
        with graph.graph.inserting_before(nodes[0]):
            weight = call(graph.graph, aten.cat.default, [each["weight"] for each in given], 0)
            biases = [each["bias"] for each in given]
            bias = call(graph.graph, aten.cat.default, biases, 0) if biases[0] is not None else None
            merged = with_weights(graph.graph, nodes[0], weight, bias)
            start = 0
            parts = []
            for each in given:
                end = start + shape(each["weight"])[0]
                parts.append(call(graph.graph, aten.slice.Tensor, merged, channels, start, end))
                start = end
        for node, part in zip(nodes, parts, strict=True):
            node.replace_all_uses_with(part)
            graph.graph.erase_node(node)

    return merge


def _move(operand: fx.Node | None, first: fx.Node) -> None:
    """Move what parameters an operand is made of, and how, in front of a node, where it comes after it."""
    if operand is None or operand < first:
        return
    for source in operand.all_input_nodes:
        _move(source, first)
    first.prepend(operand)
