"""What a workflow leaves in the run folder beside its checkpoint: its graph and its progress, for the report."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from netwright.files import write_text
from netwright.result import Record
from netwright.workflow.book import Book
from netwright.workflow.graph import Graph, StateT

Progress = Literal["running", "finished", "stopped", "failed"]


class EdgeRecord(Record):
    """One arrow of the graph."""

    source: str
    target: str
    """A node, or "END"."""
    conditional: bool
    """Whether a route decides if it is taken."""


class WorkflowRecord(Record):
    """The content of `workflow/<name>.json`."""

    schema_version: Literal[1] = 1
    workflow: str
    label: str = ""
    """What tells several runs of the same workflow apart."""
    nodes: list[str]
    """The first one is where it starts."""
    edges: list[EdgeRecord]
    progress: Progress
    """"running" in a folder where nothing runs means that it was killed."""
    detail: str = ""
    """Why it stopped or failed."""
    next_node: str | None = None
    visits: dict[str, int] = {}
    seconds: dict[str, float] = {}
    """The time that each node took, in s."""


def record_of(
    graph: Graph[StateT], label: str, book: Book, *, progress: Progress, next_node: str | None, detail: str = ""
) -> WorkflowRecord:
    """The record of a workflow as it stands."""
    return WorkflowRecord(
        workflow=graph.workflow,
        label=label,
        nodes=list(graph.nodes),
        edges=[
            EdgeRecord(source=edge.source, target=edge.target, conditional=edge.conditional) for edge in graph.arrows
        ],
        progress=progress,
        detail=detail,
        next_node=next_node,
        visits=book.visits,
        seconds={name: round(seconds, 3) for name, seconds in book.node_seconds.items()},
    )


def write_record(path: Path, record: WorkflowRecord) -> None:
    """Write the record, whole."""
    write_text(path, record.model_dump_json(indent=2) + "\n")


def read_records(folder: Path) -> Iterator[WorkflowRecord]:
    """The records in a run's folder `workflow`, by file name; one that this version does not read is skipped."""
    for path in sorted(folder.glob("*.json")):
        try:
            yield WorkflowRecord.model_validate_json(path.read_bytes())
        except (ValidationError, OSError):
            continue
