"""The rule: a rewrite of a graph that computes the same with less work, wherever its precondition holds."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import fx

from netwright_fusion.graph import from_parameters, is_tensor, replace, same_layout, value
from netwright_fusion.rules.layout import refresh

Conditions = Literal["any weights", "fixed weights", "eval only"]


@dataclass(frozen=True)
class Site:
    """A place in a graph where a rule applies.

    Attributes:
        name: What is rewritten to what, and where; the same for the same graph.
        nodes: The nodes concerned, in the order in which they are computed.
    """

    name: str
    nodes: tuple[fx.Node, ...]


class Rule(ABC):
    """One rewrite.

    Attributes:
        name: In lower case, as reports show it.
        reason: One sentence: why less work computes the same.
        conditions: When it is right. "fixed weights": always, but it pays only where weights change seldom, or sends
            gradients elsewhere where values tie, so that it is for inference.
        measured: True where it is not always a gain, and only kept when measured faster.
        compiled: True where only a compiler makes it pay, which writes its many small steps into few loops.
        keeps_nan: False where a NaN that comes of infinities may become an infinity; see `infinity`.
        needs_finite: True where an operator treats infinities in another way than the steps that it stands for.
        spreads: True where a NaN reaches more outputs than it should, so that another forward must run on such inputs.
    """

    name: ClassVar[str]
    reason: ClassVar[str]
    conditions: ClassVar[Conditions] = "any weights"
    measured: ClassVar[bool] = False
    compiled: ClassVar[bool] = False
    keeps_nan: ClassVar[bool] = True
    needs_finite: ClassVar[bool] = False
    spreads: ClassVar[bool] = False

    @abstractmethod
    def sites(self, graph: fx.GraphModule) -> Iterator[Site]:
        """Where the rule applies, in the order in which the graph computes."""

    @abstractmethod
    def apply(self, graph: fx.GraphModule, site: Site) -> None:
        """Rewrite one site in place; new nodes carry `meta["val"]`."""


@dataclass(frozen=True)
class Rewrite:
    """What a rule would do with one node.

    Attributes:
        name: What becomes what.
        nodes: The nodes concerned; the last of them is replaced.
        build: Adds the new nodes in front of the last one and returns what takes its place.
    """

    name: str
    nodes: tuple[fx.Node, ...]
    build: Callable[[fx.Graph], fx.Node]


class NodeRule(Rule):
    """A rule that replaces one node by something that is computed from what comes before it."""

    @abstractmethod
    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """What to do with the node, or None where the precondition does not hold. Changes nothing."""

    def sites(self, graph: fx.GraphModule) -> Iterator[Site]:
        """Where the rule applies, in the order in which the graph computes."""
        for node in list(graph.graph.nodes):
            found = self.rewrite(node) if node.op == "call_function" and node.users else None
            if found:
                yield Site(f"{found.name} ({node.name})", found.nodes)

    def apply(self, graph: fx.GraphModule, site: Site) -> None:
        """Rewrite one site in place; what follows is looked at again where the result lies in memory otherwise."""
        last = site.nodes[-1]
        found = self.rewrite(last)
        if found is None:
            raise ValueError(f"rule '{self.name}' does not apply to {site.name}")
        before = set(graph.graph.nodes)
        with graph.graph.inserting_before(last):
            new = found.build(graph.graph)
        _explain(new, before, f"{found.name}: {self.reason}")
        stays = not is_tensor(last) or same_layout(value(last), value(new))
        replace(last, new)
        if not stays:
            refresh(graph)


def _explain(result: fx.Node, before: set[fx.Node], comment: str) -> None:
    """Put a comment on the first of the new nodes that is computed per call."""
    new = [node for node in result.graph.nodes if node not in before and not from_parameters(node)]
    if new:
        new[0].meta["comment"] = comment
