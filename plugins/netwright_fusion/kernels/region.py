"""The nodes that one kernel computes: how such a region grows, what goes in and out, and how a call takes its place."""

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import fx

from netwright_fusion.graph import tidy


@dataclass(frozen=True)
class Region:
    """Nodes of one graph in its order."""

    nodes: tuple[fx.Node, ...]

    @cached_property
    def members(self) -> frozenset[fx.Node]:
        """The nodes, to ask whether one is among them."""
        return frozenset(self.nodes)

    @cached_property
    def inputs(self) -> tuple[fx.Node, ...]:
        """The nodes outside that are used inside, in order of use."""
        sources = [source for node in self.nodes for source in node.all_input_nodes]
        return tuple(dict.fromkeys(source for source in sources if source not in self.members))

    @cached_property
    def outputs(self) -> tuple[fx.Node, ...]:
        """The nodes inside that are used outside."""
        return tuple(node for node in self.nodes if any(user not in self.members for user in node.users))


class Order:
    """Where each node of a graph stands, to tell whether a call can take a region's place."""

    def __init__(self, graph: fx.Graph) -> None:
        self._place = {node: number for number, node in enumerate(graph.nodes)}

    def region(self, nodes: Iterable[fx.Node]) -> Region:
        """The region of these nodes."""
        return Region(tuple(sorted(set(nodes), key=self._place.__getitem__)))

    def placeable(self, region: Region) -> bool:
        """Whether all that goes in is there before anything that comes out is needed.

        Then nothing outside lies between two nodes of the region, either.
        """
        ready = max((self._place[node] for node in region.inputs), default=-1)
        needed = [self._place[user] for node in region.outputs for user in node.users if user not in region.members]
        return ready < min(needed, default=len(self._place))

    def first_user(self, region: Region) -> fx.Node:
        """The first node outside that needs an output."""
        users = [user for node in region.outputs for user in node.users if user not in region.members]
        return min(users, key=self._place.__getitem__)


def grow(order: Order, region: Region, candidates: Callable[[Region], Iterable[fx.Node]]) -> Region:
    """Take in candidates as long as a call can take the region's place, until there are none left."""
    refused: set[fx.Node] = set()
    while True:
        for node in candidates(region):
            if node in region.members or node in refused:
                continue
            larger = order.region([*region.nodes, node])
            if order.placeable(larger):
                region = larger
                refused.clear()
                break
            refused.add(node)
        else:
            return region


def reference_of(region: Region) -> fx.GraphModule:
    """A module that computes a region's outputs from its inputs, one of them or a tuple."""
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for number, source in enumerate(region.inputs):
        copies[source] = graph.placeholder(f"input_{number}")
        copies[source].meta = dict(source.meta)
    for node in region.nodes:
        copies[node] = graph.node_copy(node, copies.__getitem__)
    outputs = tuple(copies[node] for node in region.outputs)
    graph.output(outputs[0] if len(outputs) == 1 else outputs)
    return fx.GraphModule({}, graph)


def replace_region(
    graph: fx.GraphModule, region: Region, function: Callable[..., Any], meta: dict[str, Any]
) -> fx.Node:
    """Let a call of `function`, given the region's inputs, stand for its nodes; several outputs come as a tuple."""
    outputs = region.outputs
    values = [node.meta["val"] for node in outputs]
    with graph.graph.inserting_before(Order(graph.graph).first_user(region)):
        call = graph.graph.call_function(function, region.inputs)
        call.meta.update(meta, val=values[0] if len(values) == 1 else tuple(values))
        results = [call]
        if len(outputs) > 1:
            results = [graph.graph.call_function(operator.getitem, (call, number)) for number in range(len(outputs))]
            for result, value in zip(results, values, strict=True):
                result.meta["val"] = value
    for old, new in zip(outputs, results, strict=True):
        old.replace_all_uses_with(new, delete_user_cb=lambda user: user not in region.members)
    for node in reversed(region.nodes):
        graph.graph.erase_node(node)
    tidy(graph)
    return call
