"""The shape of a workflow: one way out of each node, everything reachable, and clear refusals of all else."""

from typing import Any

import pytest
from pydantic import BaseModel

from netwright.errors import UserError
from netwright.workflow import END, Route
from netwright.workflow.graph import Edge, Graph


class Empty(BaseModel):
    pass


def route(*to: str) -> Route[Empty]:
    return Route(lambda _: to[0], to)


def test_arrows_in_the_order_of_the_nodes() -> None:
    graph: Graph[Empty] = Graph("w", ("a", "b"), {"b": route("a", END), "a": "b"})
    assert graph.start == "a"
    assert graph.arrows == [Edge("a", "b", False), Edge("b", "a", True), Edge("b", END, True)]


@pytest.mark.parametrize(
    ("nodes", "edges", "message"),
    [
        (("a", "b", "c"), {("a", "b"): "c"}, r"joins edges: \('a', 'b'\) to 'c'"),
        (("a", "b", "c"), {"a": ["b", "c"]}, r"forks after 'a': \['b', 'c'\]"),
        (("alpha",), {"alpha": "alpa"}, "no node of workflow 'w' named 'alpa'; did you mean 'alpha'"),
        (("alpha",), {"alpha": END, "beta": END}, "no node of workflow 'w' named 'beta'"),
        (("a", "b"), {"a": "b"}, "does not say what follows 'b'"),
        (("a", "b"), {"a": END, "b": END}, "never reaches 'b'"),
        (("a", "b"), {"a": "b", "b": "a"}, "never reaches 'END'"),
        (("a",), {"a": route()}, "routes from 'a' to nothing"),
        (("a",), {"a": route(END, END)}, "routes from 'a' to END, END"),
        (("Shout",), {"Shout": END}, "names a node 'Shout'"),
        ((), {}, "has no nodes"),
    ],
)
def test_refuses(nodes: tuple[str, ...], edges: dict[Any, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Graph("w", nodes, edges)


def test_refuses_a_name_that_is_no_file_name() -> None:
    with pytest.raises(UserError, match="cannot name a workflow"):
        Graph("../w", ("a",), {"a": END})
