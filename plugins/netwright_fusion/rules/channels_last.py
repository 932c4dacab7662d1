"""Convolutions with the channels of a pixel side by side in memory, which CPUs and tensor cores like best."""

from collections.abc import Iterator

import torch
from torch import fx

from netwright_fusion.graph import call, from_parameters, value
from netwright_fusion.rules.convolution import convolution_of
from netwright_fusion.rules.layout import with_layouts
from netwright_fusion.rules.rule import Rule, Site

aten = torch.ops.aten
FORMATS = {2: torch.channels_last, 3: torch.channels_last_3d}


class ChannelsLast(Rule):
    """All convolutions of two or three dimensions in channels-last layout; outputs keep theirs.

    A layout says where numbers lie, not which they are. Convolutions keep their input's layout, and so does what works
    element by element, so that a graph is mostly converted at its first convolution and at its outputs. Weights are
    converted once.
    """

    name = "channels-last layout"
    reason = "The kernels of convolutions read a pixel's channels together, and need not reorder them first."
    conditions = "fixed weights"
    measured = True

    def sites(self, graph: fx.GraphModule) -> Iterator[Site]:
        """The convolutions of the graph, if any of them is in another layout."""
        nodes = [node for node in graph.graph.nodes if _format(node) is not None]
        if any(not _is_converted(node) for node in nodes):
            yield Site(f"{len(nodes)} convolutions -> channels last", tuple(nodes))

    def apply(self, graph: fx.GraphModule, site: Site) -> None:
        """Convert inputs and weights of all convolutions."""
        with_layouts(graph, lambda: _convert(graph, site.nodes))


def _convert(graph: fx.GraphModule, nodes: tuple[fx.Node, ...]) -> None:
    converted: dict[fx.Node, fx.Node] = {}
    for node in nodes:
        conv, layout = convolution_of(node), _format(node)
        assert conv is not None
        for index, operand in enumerate((conv.source, conv.weight)):
            if operand not in converted:
                with graph.graph.inserting_before(node):
                    converted[operand] = call(graph.graph, aten.contiguous.default, operand, memory_format=layout)
            node.update_arg(index, converted[operand])


def _format(node: fx.Node) -> torch.memory_format | None:
    conv = convolution_of(node)
    return FORMATS.get(conv.spatial) if conv is not None and from_parameters(conv.weight) else None


def _is_converted(node: fx.Node) -> bool:
    conv, layout = convolution_of(node), _format(node)
    assert conv is not None
    assert layout is not None
    given = conv.weight
    return given.op == "call_function" and bool(value(given).is_contiguous(memory_format=layout))
