"""A run's folder: the one place where a run leaves what it did, with fixed names."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from netwright.errors import UserError
from netwright.files import append_json_line, cannot_write, utc_now, write_text
from netwright.result import Result


class RunFolder:
    """Paths and writers of one run's folder.

    Raises:
        UserError: The folder cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    @property
    def result_file(self) -> Path:
        return self.path / "result.json"

    @property
    def environment_file(self) -> Path:
        return self.path / "environment.json"

    @property
    def events_file(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def decisions_file(self) -> Path:
        return self.path / "decisions.jsonl"

    @property
    def report_file(self) -> Path:
        return self.path / "report.html"

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    @property
    def llm(self) -> Path:
        return self.path / "llm"

    @property
    def workflow(self) -> Path:
        return self.path / "workflow"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for this process inside the block; the lock ends with the process, however it ends.

        Raises:
            UserError: Another process holds it, or the folder cannot be written.
        """
        try:
            handle = os.open(self.events_file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)  # the log is never replaced
        except OSError as error:
            raise cannot_write(self.events_file, error) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise UserError(
                f"{self.path} is in use", why="another process works on this run", remedy="wait until it has ended"
            ) from None
        except OSError:  # a file system without locks: better unlocked than not at all
            pass
        try:
            yield
        finally:
            os.close(handle)

    def artifact(self, label: str) -> Path:
        """The folder `artifacts/<label>`, made when missing."""
        folder = self.path / "artifacts" / label
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(folder, error) from error
        return folder

    def event(self, name: str, **details: Any) -> None:
        """Append one event with the time of day."""
        append_json_line(self.events_file, {"time": utc_now().isoformat(), "event": name, **details})

    def decision(self, record: dict[str, Any]) -> None:
        """Append one decision with the time of day."""
        append_json_line(self.decisions_file, {"time": utc_now().isoformat(), **record})

    def write_result(self, result: Result) -> None:
        """Write `result.json`, whole; numbers that JSON lacks (NaN, infinities) as strings."""
        write_text(self.result_file, result.model_dump_json(indent=2) + "\n")

    def relative(self, path: Path) -> str:
        """`path` relative to this folder, in POSIX form."""
        return path.resolve().relative_to(self.path).as_posix()


def read_result(folder: Path) -> Result:
    """The result of the run in `folder`.

    Raises:
        UserError: There is no result.json, or it is not one that this version reads.
    """
    path = folder / "result.json"
    try:
        return Result.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"no result.json in {folder}", why="the run has not ended, or this is no run folder") from None
    except (ValidationError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a result of this version", why=str(error).splitlines()[0]) from None


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The records of an append-only log; a last line torn by a kill is skipped."""
    if not path.exists():
        return
    for line in path.read_bytes().split(b"\n"):  # nothing else ends a line: JSON text may hold U+2028
        try:
            yield json.loads(line)
        except ValueError:  # torn inside the JSON, or inside a letter
            continue
