"""The shape of a workflow: named nodes, one edge or one route out of each, and nothing that joins or forks."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from netwright.errors import UserError, unknown_name

StateT = TypeVar("StateT", bound=BaseModel)

END = "END"
"""Where an edge leads that ends the workflow."""
NODE_NAME = r"[a-z][a-z0-9_]*"


@dataclass(frozen=True)
class Route(Generic[StateT]):
    """A conditional edge.

    Attributes:
        choose: From the state to the name of the next node, or `END`; it must not change anything.
        to: Every name that it may return.
    """

    choose: Callable[[StateT], str]
    to: tuple[str, ...]


@dataclass(frozen=True)
class Edge:
    """One arrow of the graph; `conditional` when a route decides whether it is taken."""

    source: str
    target: str
    conditional: bool


@dataclass(frozen=True)
class Graph(Generic[StateT]):
    """Nodes and edges, checked.

    Every node has exactly one edge or one route out of it, so that one node runs at a time: edges that join or fork
    would make the order of their nodes, and with it what a resumed run repeats, depend on timing.

    Attributes:
        workflow: The workflow's name, for messages.
        nodes: Names, the first one is where it starts.
        edges: Per node, the name that follows it, or a route.

    Raises:
        UserError: A name is unknown, missing or not lower case; edges join or fork; a node or `END` cannot be reached.
    """

    workflow: str
    nodes: tuple[str, ...]
    edges: Mapping[str, str | Route[StateT]]

    def __post_init__(self) -> None:
        if not re.fullmatch(NODE_NAME, self.workflow):
            raise UserError(
                f"'{self.workflow}' cannot name a workflow", why="lower case words joined by underscores do"
            )
        if not self.nodes:
            raise self._refusal("has no nodes")
        for name in self.nodes:
            if not re.fullmatch(NODE_NAME, name):
                raise self._refusal(f"names a node {name!r}", why="lower case words joined by underscores do")
        for source, target in self.edges.items():
            self._check_edge(source, target)
        for name in self.nodes:
            if name not in self.edges:
                raise self._refusal(f"does not say what follows '{name}'", remedy=f"add an edge '{name}': END")
        reached = set(self._reach(self.start))
        for name in (*self.nodes, END):
            if name not in reached:
                raise self._refusal(f"never reaches '{name}'", why=f"no edge leads there from '{self.start}'")

    @property
    def start(self) -> str:
        """The node where it starts."""
        return self.nodes[0]

    @property
    def arrows(self) -> list[Edge]:
        """All edges, in the order of the nodes."""
        return [
            Edge(name, target, conditional=isinstance(self.edges[name], Route))
            for name in self.nodes
            for target in self.targets(name)
        ]

    def targets(self, name: str) -> tuple[str, ...]:
        """Where one can come from a node."""
        edge = self.edges[name]
        return edge.to if isinstance(edge, Route) else (edge,)

    def _check_edge(self, source: Any, target: Any) -> None:
        """Refuse what annotations forbid too, but an unchecked plugin may write."""
        if not isinstance(source, str):
            raise self._refusal(
                f"joins edges: {source!r} to {target!r}",
                why="a join edge waits for several nodes, and only one runs at a time",
                remedy="lead each node by an edge of its own",
            )
        if source not in self.nodes:
            raise unknown_name(f"node of workflow '{self.workflow}'", source, self.nodes)
        if not isinstance(target, str | Route):
            raise self._refusal(
                f"forks after '{source}': {target!r}",
                why="only one node runs at a time",
                remedy="name one node, or a Route that chooses one",
            )
        names = (target,) if isinstance(target, str) else target.to
        for name in names:
            if name != END and name not in self.nodes:
                raise unknown_name(f"node of workflow '{self.workflow}'", name, [*self.nodes, END])
        if not names or len(set(names)) < len(names):
            raise self._refusal(
                f"routes from '{source}' to {', '.join(names) or 'nothing'}", why="name each target once"
            )

    def _reach(self, start: str) -> Iterator[str]:
        waiting, seen = [start], {start}
        while waiting:
            name = waiting.pop()
            yield name
            fresh = [target for target in (self.targets(name) if name != END else ()) if target not in seen]
            seen.update(fresh)
            waiting += fresh

    def _refusal(self, what: str, *, why: str = "", remedy: str = "") -> UserError:
        return UserError(f"workflow '{self.workflow}' {what}", why=why, remedy=remedy)
