"""Convolutions with the channels of a pixel side by side in memory, which CPUs and tensor cores like best."""

from collections.abc import Iterator

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call
from netwright_fusion.rules.convolution import convolution_of
from netwright_fusion.rules.layout import with_layouts
from netwright_fusion.rules.matching import is_fixed
from netwright_fusion.rules.rule import Rule, Site

aten = torch.ops.aten
CONVERTED = "channels_last"
"""In a graph's `meta`: whether its convolutions were converted."""
FORMATS = {2: torch.channels_last, 3: torch.channels_last_3d}


class ChannelsLast(Rule):
    """All convolutions of two or three dimensions in channels-last layout; outputs keep theirs.

    A layout says where numbers lie, not which they are. Convolutions keep their input's layout, and so does what works
    element by element, so that a graph is mostly converted at its first convolution and at its outputs. Weights are
    converted once. What normalises by statistics of its input gets it as it was: PyTorch's kernels for the other
    layout sum in lower precision.
    """

    name = "channels-last layout"
    reason = "The kernels of convolutions read a pixel's channels together, and need not reorder them first."
    conditions = "fixed weights"
    measured = True

    def sites(self, graph: fx.GraphModule) -> Iterator[Site]:
        """The convolutions of the graph, unless they were converted."""
        nodes = [node for node in graph.graph.nodes if _format(node) is not None]
        if nodes and not graph.meta.get(CONVERTED):
            yield Site(f"{len(nodes)} convolutions -> channels last", tuple(nodes))

    def apply(self, graph: fx.GraphModule, site: Site) -> None:
        """Convert inputs and weights of all convolutions."""
        with_layouts(graph, lambda: _convert(graph, site.nodes))
        graph.meta[CONVERTED] = True


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
    dense_before_norms(graph)


def dense_before_norms(graph: fx.GraphModule) -> None:
    """Let what normalises by its input's own statistics get it in plain order."""
    for norm in [node for node in graph.graph.nodes if has_own_statistics(node)]:
        with graph.graph.inserting_before(norm):
            norm.update_arg(0, call(graph.graph, aten.contiguous.default, norm.args[0]))


def has_own_statistics(node: fx.Node) -> bool:
    """Whether a call normalises positions by their own mean and variance."""
    if is_call(node, aten.batch_norm.default):
        return bool(arguments(node)["training"])
    return is_call(node, aten.group_norm.default, aten.instance_norm.default)


def _format(node: fx.Node) -> torch.memory_format | None:
    conv = convolution_of(node)
    return FORMATS.get(conv.spatial) if conv is not None and is_fixed(conv.weight) else None
