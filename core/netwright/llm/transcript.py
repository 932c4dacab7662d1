"""Transcripts: every request of a run with what came of it, enough to replay the run offline."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from netwright.errors import UserError
from netwright.files import append_json_line, utc_now
from netwright.llm.config import TRANSCRIPT
from netwright.llm.errors import UNSENT, LanguageModelError, error_from_json, error_to_json
from netwright.llm.messages import Answer, Part, Request
from netwright.runfolder import read_json_lines

FORMAT = 1


class CallRecord(Part):
    """One request and its outcome, with marks in place of folders and without secrets."""

    call: int
    """Counted from 1."""
    model: str
    """Who was asked, as the configuration of the recorded run names it."""
    request: Request
    answer: Answer | None
    """None where it failed."""
    failure: dict[str, Any] | None = None
    cached: bool = False
    retries: list[str] = []
    """Why it was sent again, one line each."""
    seconds: float = 0.0

    @property
    def sent(self) -> int:
        """How many requests went out: none for an answer from the cache, none where something forbade it."""
        kept = self.cached or (self.failure or {}).get("kind") in UNSENT
        return len(self.retries) + (not kept)

    @property
    def outcome(self) -> Answer | LanguageModelError:
        """The answer, or the failure as the error that it was."""
        return self.answer or error_from_json(self.failure or {"what": "the recording holds no outcome"})


class ToolRecord(Part):
    """What a tool gave that the model called."""

    conversation: str
    """The key of the conversation up to and with the call."""
    tool_call_id: str
    name: str
    result: str


class Transcript:
    """Appends to `llm/calls.jsonl` of a run's folder; without a folder it only counts.

    Args:
        folder: The `llm` folder; made with the first record.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / TRANSCRIPT if folder else None
        self._lock = threading.Lock()
        self.calls = sum(isinstance(record, CallRecord) for record in self.records())

    def records(self) -> Iterator[CallRecord | ToolRecord]:
        """What earlier processes of the same run have recorded, and this one so far."""
        if self._path is not None:
            yield from read_records(self._path)

    def call(
        self,
        model: str,
        request: Request,
        outcome: Answer | LanguageModelError,
        *,
        cached: bool = False,
        retries: list[str] | None = None,
        seconds: float = 0.0,
    ) -> None:
        """Record one request to a model."""
        with self._lock:
            self.calls += 1
            record = CallRecord(
                call=self.calls,
                model=model,
                request=request,
                answer=outcome if isinstance(outcome, Answer) else None,
                failure=error_to_json(outcome) if isinstance(outcome, LanguageModelError) else None,
                cached=cached,
                retries=retries or [],
                seconds=round(seconds, 3),
            )
            self._append({"kind": "call", **record.model_dump(mode="json")})

    def tool(self, record: ToolRecord) -> None:
        """Record what a tool gave."""
        with self._lock:
            self._append({"kind": "tool", **record.model_dump(mode="json")})

    def _append(self, values: dict[str, Any]) -> None:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            append_json_line(self._path, {"format": FORMAT, "time": utc_now().isoformat(), **values})


def read_records(path: Path) -> Iterator[CallRecord | ToolRecord]:
    """The records of a transcript, in order.

    Raises:
        UserError: A line is no record of this version.
    """
    for line in read_json_lines(path):
        try:
            yield _record(line)
        except ValueError as error:  # pydantic's included
            raise UserError(
                f"{path} is no transcript of this version", why=" ".join(str(error).split())[:120]
            ) from None


def _record(line: object) -> CallRecord | ToolRecord:
    """The record on one line; raises ValueError for anything else."""
    if not isinstance(line, dict) or line.get("format") != FORMAT:
        raise ValueError(f"it holds {str(line)[:60]!r}")
    values = {key: value for key, value in line.items() if key not in ("format", "kind", "time")}
    return CallRecord.model_validate(values) if line.get("kind") == "call" else ToolRecord.model_validate(values)
