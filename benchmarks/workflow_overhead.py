"""What a workflow costs per node beyond the node itself, beside a bare LangGraph loop with the same checkpointer.

Both run the same loop of two empty nodes over the same state, with the SQLite checkpointer and durability "sync", in
turns. "LangGraph, all nodes in one call" is one `invoke`; "LangGraph, a call per node" interrupts before every node, as
a workflow must to apply budgets and approval between nodes. Medians over rounds of ms per node, start-up left out.
Writes benchmarks/results/<date>-workflow-overhead.json.
"""

import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypedDict

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END as LANGGRAPH_END
from langgraph.graph import START, StateGraph
from pydantic import BaseModel
from rich.console import Console

from _results import describe_machine, write_results
from netwright.context import RunContext, use_run
from netwright.runfolder import RunFolder
from netwright.workflow import END, Route, Workflow

ROUNDS = 15
NODES = 100
NOTES = 20
"""Lines of text in the state, so that it has a size worth writing."""


class Bare(TypedDict):
    n: int
    notes: list[str]


class Typed(BaseModel):
    n: int = 0
    notes: list[str] = []


def bare_graph(saver: SqliteSaver, *, interrupt: bool) -> Any:
    """The loop in LangGraph alone."""
    builder = StateGraph(Bare)
    builder.add_node("one", lambda state: {"n": state["n"] + 1})
    builder.add_node("two", lambda state: {"n": state["n"] + 1})
    builder.add_edge(START, "one")
    builder.add_edge("one", "two")
    choose: Callable[[Bare], str] = lambda state: "one" if state["n"] < NODES else LANGGRAPH_END  # noqa: E731
    builder.add_conditional_edges("two", choose, ["one", LANGGRAPH_END])
    return builder.compile(checkpointer=saver, interrupt_before="*" if interrupt else None)


def run_bare(folder: Path, *, interrupt: bool) -> float:
    """Seconds for all nodes."""
    config: Any = {"configurable": {"thread_id": "main"}, "recursion_limit": 10 * NODES}
    with closing(sqlite3.connect(folder / "bare.sqlite", check_same_thread=False)) as connection:
        graph = bare_graph(SqliteSaver(connection), interrupt=interrupt)
        started = time.perf_counter()
        values: Any = {"n": 0, "notes": ["a line of text that a node has left"] * NOTES}
        while True:
            graph.invoke(values, config, durability="sync")
            values = None
            if not interrupt or not graph.get_state(config).next:
                return time.perf_counter() - started


def run_workflow(folder: Path) -> float:
    """Seconds for all nodes, as the workflow's own book says."""
    workflow = Workflow(
        "loop",
        Typed,
        nodes={"one": lambda state: {"n": state.n + 1}, "two": lambda state: {"n": state.n + 1}},
        edges={"one": "two", "two": Route(lambda state: "one" if state.n < NODES else END, ("one", END))},
    )
    with use_run(RunContext(folder=RunFolder(folder), console=Console(quiet=True))):
        result = workflow.run(Typed(notes=["a line of text that a node has left"] * NOTES))
    assert result.steps == NODES
    return result.seconds


ARMS: dict[str, Callable[[Path], float]] = {
    "LangGraph, all nodes in one call": lambda folder: run_bare(folder, interrupt=False),
    "LangGraph, a call per node": lambda folder: run_bare(folder, interrupt=True),
    "netwright.workflow": run_workflow,
}


def main() -> None:
    """Measure, print and write."""
    per_node: dict[str, list[float]] = {name: [] for name in ARMS}
    for round_number in range(ROUNDS + 1):
        for name, run in ARMS.items():
            with tempfile.TemporaryDirectory() as folder:
                milliseconds = 1000 * run(Path(folder)) / NODES
            if round_number:  # the first round imports what is imported lazily
                per_node[name].append(milliseconds)
    rows = {
        name: {"median_ms_per_node": round(statistics.median(times), 3), "min_ms": round(min(times), 3)}
        for name, times in per_node.items()
    }
    for name, row in rows.items():
        print(f"{name:34} {row}")
    versions = {name: version(name) for name in ("langgraph", "langgraph-checkpoint-sqlite")}
    machine = {**describe_machine(), "load_average_1min": round(os.getloadavg()[0], 1)}
    write_results(
        "workflow-overhead",
        {"rounds": ROUNDS, "nodes": NODES, "arms": rows, "versions": versions, "machine": machine},
    )


if __name__ == "__main__":
    main()
