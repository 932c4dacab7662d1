"""The checkpoint file: SQLite through LangGraph's saver, plain values only, and never without knowing whose it is."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import ormsgpack

from netwright.errors import UserError
from netwright.files import cannot_write
from netwright.result import Record

with patch.dict(os.environ, LANGGRAPH_STRICT_MSGPACK="true"):  # read once, and not for processes that start later
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
    from langgraph.checkpoint.sqlite import SqliteSaver

THREAD = "main"
"""LangGraph's name for the one run that a file holds."""
PLAIN_TYPES = frozenset({"null", "msgpack"})


class Identity(Record):
    """What every checkpoint says of itself: only a workflow that says the same may go on from it."""

    netwright: str
    """The version that wrote it."""
    workflow: str
    label: str
    """What tells several runs of the workflow apart."""
    graph: str
    """A digest of nodes and edges."""
    schema_digest: str
    """A digest of the state class's JSON schema."""
    start: str
    """A digest of the state that the run began with."""


class PlainSerializer(JsonPlusSerializer):
    """Msgpack without extension types: nothing in a checkpoint can name something to import or to call.

    LangGraph's own serializer rebuilds objects from names in the file; even in its strict mode it only passes over
    names that are not on its list. A checkpoint of ours holds text, numbers, lists and mappings, so anything else was
    not written by us.
    """

    def __init__(self) -> None:
        super().__init__(pickle_fallback=False, allowed_msgpack_modules=None, allowed_json_modules=None)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Read a value; raises `UserError` for pickle, JSON constructors and msgpack extensions, before they act."""
        kind, content = data
        if kind not in PLAIN_TYPES:
            raise _unsafe(f"a value of type {kind!r}")
        if kind == "null":
            return None
        extensions: list[int] = []
        try:
            value = ormsgpack.unpackb(
                content, ext_hook=lambda code, _: extensions.append(code), option=ormsgpack.OPT_NON_STR_KEYS
            )
        except (ValueError, TypeError):
            raise _unsafe("a value that is no msgpack") from None
        if extensions:
            raise _unsafe(f"a msgpack extension (code {extensions[0]})")
        return value


class Checkpoints(SqliteSaver):
    """LangGraph's saver with the plain serializer, and SQLite's complaints as one line each."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        super().__init__(connection, serde=PlainSerializer())
        self.path = path

    @contextmanager
    def cursor(self, transaction: bool = True) -> Iterator[sqlite3.Cursor]:
        """As LangGraph's; raises `UserError` where that raises what SQLite says."""
        try:
            with super().cursor(transaction) as cursor:
                yield cursor
        except sqlite3.Error as error:
            raise _complaint(self.path, error) from error


@contextmanager
def open_checkpoints(path: Path) -> Iterator[Checkpoints]:
    """The checkpoint file at `path`, made when missing, held by this process alone until the block ends.

    SQLite's exclusive lock ends with the process that holds it. Every commit is synced to disk.

    Raises:
        UserError: Another process works with the file, it is no SQLite file, or it cannot be written.
    """
    try:
        connection = sqlite3.connect(path, timeout=0, check_same_thread=False)
    except sqlite3.Error as error:
        raise _complaint(path, error) from error
    with closing(connection):
        try:
            for setting in ("trusted_schema=OFF", "locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL"):
                connection.execute(f"PRAGMA {setting}")
            connection.execute("BEGIN IMMEDIATE")
            connection.commit()
        except sqlite3.Error as error:
            raise _complaint(path, error) from error
        yield Checkpoints(connection, path)


def stored_identity(checkpoints: Checkpoints) -> dict[str, Any] | None:
    """What the latest checkpoint says of itself, read without deserialising it; None in a file without any.

    Raises:
        UserError: It says nothing that can be read.
    """
    with checkpoints.cursor(transaction=False) as cursor:
        row = cursor.execute(
            "SELECT metadata FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = '' "
            "ORDER BY checkpoint_id DESC LIMIT 1",
            (THREAD,),
        ).fetchone()
    if row is None:
        return None
    try:
        metadata = json.loads(row[0])
    except (TypeError, ValueError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict):
        raise UserError(f"{checkpoints.path} does not say whose checkpoint it is", remedy="start the run again")
    return metadata


def check_identity(stored: dict[str, Any], expected: Identity, path: Path) -> None:
    """Refuse a checkpoint that another version, workflow, shape or beginning has left.

    Raises:
        UserError: It is another's; the line says what differs.
    """
    reasons = {
        "netwright": f"it was written by netwright {stored.get('netwright')}, this is {expected.netwright}",
        "workflow": f"it is of workflow '{stored.get('workflow')}', not '{expected.workflow}'",
        "label": f"it is of the run labelled '{stored.get('label')}', not '{expected.label}'",
        "graph": "the workflow's nodes or edges have changed since",
        "schema_digest": "the fields of the workflow's state have changed since",
        "start": "it began with another state; what differs from start to start belongs into a node",
    }
    for field, reason in reasons.items():
        if stored.get(field) != getattr(expected, field):
            raise UserError(f"cannot go on from {path}", why=reason, remedy="start the run again, in a new folder")


def _complaint(path: Path, error: sqlite3.Error) -> UserError:
    """The one-line error for what SQLite says."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return UserError(f"{path} is in use", why="another process runs this workflow")
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
        return cannot_write(path, OSError(0, str(error)))
    return UserError(f"{path} is no checkpoint", why=str(error), remedy="start the run again, in a new folder")


def _unsafe(what: str) -> UserError:
    return UserError(
        f"the checkpoint holds {what}",
        why="netwright writes none: it was damaged, or made to run code; nothing of it was run",
        remedy="start the run again, in a new folder",
    )
