"""LangGraph at work: a workflow's graph compiled to run one node at a time, each ending in a committed checkpoint."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END as LANGGRAPH_END
from langgraph.graph import START, StateGraph

from netwright.errors import UserError
from netwright.workflow.checkpoints import THREAD, Checkpoints, Identity
from netwright.workflow.graph import END, Graph, Route, StateT

SETTLING = 4
"""To enter the graph and to commit waiting writes takes two invocations at most."""


class Channels(TypedDict):
    """What LangGraph keeps, both as JSON text; capitals, because no node is named so."""

    State: str
    Book: str


@dataclass(frozen=True)
class Position:
    """Where a run stands.

    Attributes:
        state: The state as text.
        book: The book as text.
        next_node: The node to run next; None at the end.
        unsettled: Whether writes wait to be committed, or LangGraph has to enter the graph: one more `advance` that
            runs no node.
    """

    state: str
    book: str
    next_node: str | None
    unsettled: bool


class NodeCall(Protocol):
    """Runs a node: from the texts of state and book to those after it."""

    def __call__(self, name: str, state: str, book: str) -> tuple[str, str]: ...


class TheirNode(Protocol):
    """A node as LangGraph calls it."""

    def __call__(self, state: Channels) -> Channels: ...


class Engine:
    """A compiled graph with its checkpoints.

    Args:
        graph: The workflow's graph.
        call: Runs a node.
        choose: From a node with a route and the state's text to the name of the next node.
        checkpoints: The checkpoint file.
        identity: Written into every checkpoint.
    """

    def __init__(
        self,
        graph: Graph[StateT],
        call: NodeCall,
        choose: Callable[[str, str], str],
        checkpoints: Checkpoints,
        identity: Identity,
    ) -> None:
        builder = StateGraph(Channels)
        for name in graph.nodes:
            builder.add_node(name, _node(name, call))
        builder.add_edge(START, graph.start)
        for name, edge in graph.edges.items():
            if isinstance(edge, Route):
                targets = {target: _theirs(target) for target in edge.to}
                builder.add_conditional_edges(name, _router(name, choose), targets)  # type: ignore[arg-type]
            else:
                builder.add_edge(name, _theirs(edge))
        self._graph = builder.compile(checkpointer=checkpoints, interrupt_before="*")
        self._nodes = frozenset(graph.nodes)
        self._config: RunnableConfig = {
            "configurable": {"thread_id": THREAD},
            "metadata": identity.model_dump(),
        }

    def start(self, state: str, book: str) -> None:
        """Commit the first checkpoint; no node runs."""
        self._graph.invoke({"State": state, "Book": book}, self._config, durability="sync")

    def advance(self) -> None:
        """Run the next node and commit; or commit what a killed process has left uncommitted, without running it."""
        self._graph.invoke(None, self._config, durability="sync")

    def settle(self) -> Position:
        """Where the run stands, once it has entered the graph and nothing waits for its commit.

        Raises:
            UserError: The checkpoint is damaged.
        """
        for _ in range(SETTLING):
            position = self.position()
            if not position.unsettled:
                return position
            self.advance()
        raise _damaged("its writes cannot be committed")

    def position(self) -> Position:
        """Where the run stands, as the last commit says.

        LangGraph names no next node while the writes of one that has ended wait for their commit: a run has ended
        only where no task is left at all.

        Raises:
            UserError: The checkpoint is damaged.
        """
        try:
            snapshot = self._graph.get_state(self._config)
            values: Mapping[str, Any] = snapshot.values
            waiting = [task.name for task in snapshot.tasks]
            following = [name for name in snapshot.next if name != START]
            unsettled = bool(waiting) and not following
            if unsettled and START in waiting:
                return Position("", "", None, unsettled=True)
            state, book = values["State"], values["Book"]
        except UserError:
            raise
        except Exception as error:  # LangGraph trusts the file: a damaged one raises anything
            raise _damaged(f"{type(error).__name__}: {error}") from None
        if not isinstance(state, str) or not isinstance(book, str):
            raise _damaged("its state is no text")
        if len(waiting) > 1 or not self._nodes.issuperset(waiting):
            raise _damaged(f"it would run {', '.join(waiting)}")
        return Position(state, book, following[0] if following else None, unsettled)


def _node(name: str, call: NodeCall) -> TheirNode:
    def run(state: Channels) -> Channels:
        after, book = call(name, state["State"], state["Book"])
        return {"State": after, "Book": book}

    return run


def _router(name: str, choose: Callable[[str, str], str]) -> Callable[[Channels], str]:
    def route(channels: Channels) -> str:
        return choose(name, channels["State"])

    return route


def _theirs(name: str) -> str:
    return LANGGRAPH_END if name == END else name


def _damaged(why: str) -> UserError:
    return UserError(
        "the checkpoint is damaged", why=" ".join(why.split()), remedy="start the run again, in a new folder"
    )
