"""A checkpoint of another version or shape, a damaged one, and one that was made to run code are refused."""

import json
import os
import pickle
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
from pydantic import BaseModel

import netwright.workflow.workflow
from netwright.context import RunContext
from netwright.errors import UserError
from netwright.runfolder import RunFolder
from netwright.workflow import END, Budgets, Workflow
from netwright.workflow.checkpoints import open_checkpoints


class Count(BaseModel):
    n: int = 0


class Other(BaseModel):
    n: int = 0
    m: int = 0


def count(state: Any) -> dict[str, object]:
    return {"n": state.n + 1}


def chain(state: type[Any] = Count, *, name: str = "chain", nodes: tuple[str, ...] = ("one", "two")) -> Workflow[Any]:
    edges = dict(zip(nodes, (*nodes[1:], END), strict=True))
    return Workflow(name, state, nodes=dict.fromkeys(nodes, count), edges=edges)


@pytest.fixture
def checkpoint(run_context: RunContext) -> Path:
    """The checkpoint of a run of `chain` that stands before its second node."""
    assert run_context.folder is not None
    chain().run(Count(), budgets=Budgets(steps=1))
    path = run_context.folder.workflow / "chain.sqlite"
    assert path.exists()
    return path


def execute(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(statement, values).rowcount > 0


def test_version_name_and_shape_are_recorded(checkpoint: Path) -> None:
    with closing(sqlite3.connect(checkpoint)) as connection:
        rows = connection.execute("SELECT metadata FROM checkpoints").fetchall()
    assert rows
    for (text,) in rows:
        metadata = json.loads(text)
        assert (metadata["netwright"], metadata["workflow"]) == (netwright.__version__, "chain")
        assert {"graph", "schema_digest", "start"} <= set(metadata)


def test_values_are_plain(checkpoint: Path) -> None:
    """No type but msgpack and nothing, and no msgpack extension."""
    with closing(sqlite3.connect(checkpoint)) as connection:
        rows = connection.execute("SELECT type, checkpoint FROM checkpoints UNION ALL SELECT type, value FROM writes")
        for kind, content in rows:
            assert kind in ("msgpack", "null")
            if kind == "msgpack":
                ormsgpack.unpackb(content, option=ormsgpack.OPT_NON_STR_KEYS)  # raises for an extension


def test_another_version_is_refused(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netwright.workflow.workflow, "__version__", "99.0")
    with pytest.raises(UserError, match=r"cannot go on from .*it was written by netwright .*, this is 99\.0"):
        chain().run(Count())


@pytest.mark.parametrize(
    ("workflow", "message"),
    [
        (lambda: chain(nodes=("one", "two", "three")), "nodes or edges have changed"),
        (lambda: chain(nodes=("one", "zwei")), "nodes or edges have changed"),
        (lambda: chain(Other), "fields of the workflow's state have changed"),
    ],
)
def test_another_shape_is_refused(checkpoint: Path, workflow: Callable[[], Workflow[Any]], message: str) -> None:
    changed = workflow()
    with pytest.raises(UserError, match=message):
        changed.run(changed.schema.model())


def test_another_beginning_is_refused(checkpoint: Path) -> None:
    with pytest.raises(UserError, match="it began with another state"):
        chain().run(Count(n=7))


def test_another_workflows_checkpoint_is_refused(checkpoint: Path) -> None:
    checkpoint.rename(checkpoint.with_name("other.sqlite"))
    with pytest.raises(UserError, match="it is of workflow 'chain', not 'other'"):
        chain(name="other").run(Count())


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to be taken for one" * 50, b"SQLite format 3\0" * 99]
)
def test_a_file_that_is_no_checkpoint_is_refused(checkpoint: Path, content: bytes) -> None:
    checkpoint.write_bytes(content)
    with pytest.raises(UserError, match="is no checkpoint"):
        chain().run(Count())


@pytest.mark.parametrize("metadata", [None, "", "[]", "{", b"\xff"])
def test_a_checkpoint_that_is_nobodys_is_refused(checkpoint: Path, metadata: object) -> None:
    execute(checkpoint, "UPDATE checkpoints SET metadata = ?", metadata)
    with pytest.raises(UserError, match="does not say whose checkpoint it is"):
        chain().run(Count())


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"v": 4, "ts": "", "id": "1", "channel_values": {}, "channel_versions": {}, "versions_seen": {}},
        {"v": "four", "channel_values": 3},
        [1, 2],
        "text",
    ],
)
def test_a_damaged_checkpoint_is_refused(checkpoint: Path, values: object) -> None:
    execute(checkpoint, "UPDATE checkpoints SET type = 'msgpack', checkpoint = ?", ormsgpack.packb(values))
    with pytest.raises(UserError, match="checkpoint"):
        chain().run(Count())


def test_a_crafted_state_is_validated(checkpoint: Path) -> None:
    with closing(sqlite3.connect(checkpoint)) as connection, connection:
        rows = connection.execute("SELECT checkpoint_id, checkpoint FROM checkpoints").fetchall()
        for name, content in rows:
            values = ormsgpack.unpackb(content)
            values["channel_values"]["State"] = '{"n": "many"}'
            connection.execute(
                "UPDATE checkpoints SET checkpoint = ? WHERE checkpoint_id = ?", (ormsgpack.packb(values), name)
            )
    with pytest.raises(UserError, match="holds no valid state: 'n' cannot be 'many'"):
        chain().run(Count())


def test_one_process_at_a_time(run_context: RunContext, checkpoint: Path) -> None:
    with open_checkpoints(checkpoint), pytest.raises(UserError, match="is in use; another process runs this workflow"):
        chain().run(Count())
    assert chain().run(Count()).finished


# The attacks: what LangGraph's default serializer does with them, and what ours does.

DEFAULT_LOAD = """
import sqlite3, sys
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
saver = SqliteSaver(sqlite3.connect(sys.argv[1]), serde=JsonPlusSerializer(pickle_fallback=sys.argv[2] == "pickle"))
try:
    saver.get_tuple({"configurable": {"thread_id": "main"}})
except Exception as error:
    print(error)
"""


class Exploit:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def extension(code: int, *parts: object) -> bytes:
    return ormsgpack.packb(ormsgpack.Ext(code, ormsgpack.packb(parts)))


def payloads(command: str) -> dict[str, tuple[str, bytes]]:
    """Crafted values that run a command when they are loaded, by how they do it."""
    return {
        "call with one argument": ("msgpack", extension(0, "os", "system", command)),
        "call with arguments": ("msgpack", extension(1, "os", "system", [command])),
        "call by keyword": ("msgpack", extension(2, "os", "system", {"command": command})),
        "pydantic v1": ("msgpack", extension(4, "os", "system", {"command": command})),
        "pydantic v2": ("msgpack", extension(5, "os", "system", {"command": command})),
        "hidden in the values": (
            "msgpack",
            ormsgpack.packb(
                {"v": 4, "channel_values": {"State": ormsgpack.Ext(0, ormsgpack.packb(["os", "system", command]))}}
            ),
        ),
        "pickle": ("pickle", pickle.dumps(Exploit(command))),
    }


@pytest.mark.parametrize("place", ["checkpoints", "writes"])
@pytest.mark.parametrize("attack", payloads(""))
def test_a_checkpoint_that_runs_code_is_refused_and_runs_nothing(
    run_context: RunContext, checkpoint: Path, tmp_path: Path, attack: str, place: str
) -> None:
    marker = tmp_path / "marker"
    kind, content = payloads(f"touch {marker}")[attack]
    if place == "checkpoints":
        execute(checkpoint, "UPDATE checkpoints SET type = ?, checkpoint = ?", kind, content)
    else:
        leave_pending_write(checkpoint, kind, content)
    with pytest.raises(UserError, match=r"the checkpoint holds a .*nothing of it was run"):
        chain().run(Count())
    assert not marker.exists()


@pytest.mark.slow
@pytest.mark.parametrize("attack", payloads(""))
def test_the_attacks_are_real(checkpoint: Path, tmp_path: Path, attack: str) -> None:
    """LangGraph's own serializer runs them (pickle: where its fallback is switched on)."""
    marker = tmp_path / "marker"
    kind, content = payloads(f"touch {marker}")[attack]
    execute(checkpoint, "UPDATE checkpoints SET type = ?, checkpoint = ?", kind, content)
    default = {name: value for name, value in os.environ.items() if name != "LANGGRAPH_STRICT_MSGPACK"}
    command = [sys.executable, "-c", DEFAULT_LOAD, str(checkpoint), kind]
    subprocess.run(command, env=default, capture_output=True, check=True)
    assert marker.exists()


def test_a_json_constructor_is_refused(checkpoint: Path) -> None:
    envelope = {"lc": 1, "type": "constructor", "id": ["langchain_core", "messages", "HumanMessage"], "kwargs": {}}
    execute(checkpoint, "UPDATE checkpoints SET type = 'json', checkpoint = ?", json.dumps(envelope).encode())
    with pytest.raises(UserError, match="the checkpoint holds a value of type 'json'"):
        chain().run(Count())


def leave_pending_write(checkpoint: Path, kind: str, content: bytes) -> None:
    """Put a write that waits for its commit beside the latest checkpoint."""
    with closing(sqlite3.connect(checkpoint)) as connection, connection:
        thread, latest = connection.execute(
            "SELECT thread_id, checkpoint_id FROM checkpoints ORDER BY checkpoint_id DESC LIMIT 1"
        ).fetchone()
        connection.execute(
            "INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, value) "
            "VALUES (?, '', ?, 'task', 0, 'State', ?, ?)",
            (thread, latest, kind, content),
        )


def test_a_database_of_something_else_is_refused(checkpoint: Path) -> None:
    with closing(sqlite3.connect(checkpoint)) as connection, connection:
        connection.execute("DROP TABLE checkpoints")
        connection.execute("CREATE TABLE checkpoints (recipe TEXT)")
    with pytest.raises(UserError, match="is no checkpoint; no such column"):
        chain().run(Count())


def test_what_sqlite_tells_a_node_is_the_nodes_own(run_context: RunContext) -> None:
    def ask(state: Count) -> None:
        sqlite3.connect(":memory:").execute("SELECT * FROM absent")

    workflow = Workflow("asking", Count, nodes={"ask": ask}, edges={"ask": END})
    with pytest.raises(sqlite3.OperationalError, match="no such table: absent"):
        workflow.run(Count())


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.workflow.write_text("in the way")
    with pytest.raises(UserError, match="cannot write"):
        chain().run(Count(), folder=folder)
