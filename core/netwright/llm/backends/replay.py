"""Replay: answers from a recorded run, without a key, a network or a model."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from netwright.context import current_run
from netwright.errors import UserError
from netwright.llm.asker import keepable, tool_record
from netwright.llm.backends.backend import Progress
from netwright.llm.messages import Answer, Message, Request, ToolCall
from netwright.llm.redact import Redactor, map_strings
from netwright.llm.transcript import CallRecord, Transcript, read_records

SHOWN = 60


class ReplayAsker:
    """Gives each request the outcome that it had in the recording, failures included.

    Requests are told apart by their content, so that threads may put them in another order than they were recorded.
    Tools are called again, for what they do; what they gave in the recording is what the model has been told.

    Args:
        recording: The transcript of the other run.
        transcript: This run's own, which comes to hold the same.

    Raises:
        UserError: The recording is none of this version.
    """

    money_spent = 0.0

    def __init__(self, recording: Path, *, transcript: Transcript, redactor: Redactor) -> None:
        self._recording = recording
        self._transcript = transcript
        self._redactor = redactor
        self._lock = threading.Lock()
        self._calls: dict[str, deque[CallRecord]] = {}
        self._results: dict[tuple[str, str], deque[str]] = {}
        self._order: list[CallRecord] = []
        self._used: set[int] = set()
        for record in read_records(recording):
            if isinstance(record, CallRecord):
                self._order.append(record)
                self._calls.setdefault(record.request.key, deque()).append(record)
            else:
                self._results.setdefault((record.conversation, record.tool_call_id), deque()).append(record.result)
        self.name = self._order[0].model if self._order else "none"

    def ask(self, request: Request, progress: Progress) -> Answer:  # noqa: ARG002 - it is there at once
        """The recorded outcome of this request.

        Raises:
            LanguageModelError: It failed in the recording, in the same words.
            UserError: It is not in the recording; the message names the first call that differs, and how.
        """
        kept = keepable(request, self._redactor)
        with self._lock:
            queue = self._calls.get(kept.key)
            if not queue:
                raise self._differs(kept)
            record = queue.popleft()
            self._used.add(record.call)
        outcome = record.outcome
        self._transcript.call(
            self.name, kept, outcome, cached=record.cached, retries=record.retries, seconds=record.seconds
        )
        if not isinstance(outcome, Answer):
            raise outcome
        return map_strings(outcome, self._redactor.local)

    def tool_result(self, said: Sequence[Message], call: ToolCall, run: Callable[[], str]) -> str:
        """Run the tool, and give what it gave in the recording, if it is there."""
        record = tool_record(said, call, run(), self._redactor)
        with self._lock:
            queue = self._results.get((record.conversation, call.id))
            recorded = queue.popleft() if queue else record.result
        if recorded != record.result:
            facts = {"recorded": recorded[:SHOWN], "now": record.result[:SHOWN]}
            current_run().log_event("replayed_tool_differs", tool=call.name, **facts)
        self._transcript.tool(record.model_copy(update={"result": recorded}))
        return self._redactor.local(recorded)

    def _differs(self, request: Request) -> UserError:
        left = [record for record in self._order if record.call not in self._used]
        if not left:
            what = f"the recording has no more than {len(self._order)} calls, and the run makes another"
        else:
            what = f"call {left[0].call} differs from the recording: {_difference(left[0].request, request)}"
        return UserError(
            what,
            why=f"{self._recording} is of another run, or something changed since",
            remedy="replay with the settings and the code of the recorded run",
        )


def _difference(recorded: Request, now: Request) -> str:
    """The first thing in which two requests differ."""
    for number, (before, after) in enumerate(zip(recorded.messages, now.messages, strict=False), start=1):
        if before != after:
            return f"message {number} ({after.role}) {_text_difference(before, after)}"
    if len(recorded.messages) != len(now.messages):
        return f"it has {len(now.messages)} messages instead of {len(recorded.messages)}"
    if recorded.tools != now.tools:
        names = [tool.name for tool in now.tools], [tool.name for tool in recorded.tools]
        return f"it offers the tools {names[0]} instead of {names[1]}" if names[0] != names[1] else "a tool changed"
    return "the schema of the answer changed"


def _text_difference(before: Message, after: Message) -> str:
    if before.content == after.content:
        return "calls other tools" if before.tool_calls != after.tool_calls else "has another role"
    start = next(
        (index for index, (one, two) in enumerate(zip(before.content, after.content, strict=False)) if one != two),
        min(len(before.content), len(after.content)),
    )
    start = max(0, start - SHOWN // 3)
    said, had = (" ".join(text[start : start + SHOWN].split()) for text in (after.content, before.content))
    return f"says '{said}' where it said '{had}'"
