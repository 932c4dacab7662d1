"""The asker: puts one request, live or from a recording, and keeps the record of it."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from pydantic import BaseModel

from netwright.files import content_key
from netwright.llm.backends.backend import Backend, Progress
from netwright.llm.cache import AnswerCache
from netwright.llm.errors import LanguageModelError, NotAskedError, UnavailableError
from netwright.llm.ledger import Ledger
from netwright.llm.loops import LoopGuard
from netwright.llm.messages import Answer, Message, Request, ToolCall, Usage
from netwright.llm.redact import Redactor, map_strings
from netwright.llm.retry import Retrying
from netwright.llm.transcript import CallRecord, ToolRecord, Transcript

ModelT = TypeVar("ModelT", bound=BaseModel)


class Asker(Protocol):
    """Where answers and the results of tools come from."""

    name: str
    """The model as the configuration names it."""

    @property
    def money_spent(self) -> float:
        """US dollars that this process has spent, as far as prices are known."""
        ...

    def ask(self, request: Request, progress: Progress) -> Answer:
        """Put one request.

        Args:
            progress: Told how many letters of a streamed answer are there.

        Raises:
            LanguageModelError: There is no answer.
            UserError: The settings are wrong.
        """
        ...

    def tool_result(self, said: Sequence[Message], call: ToolCall, run: Callable[[], str]) -> str:
        """What a tool gives that was called at the end of what has been said."""
        ...


class LiveAsker:
    """Puts requests to a backend: from the cache where it has the answer, with retries, within the caps.

    No secret is sent: what looks like one is taken out of the request first, and out of the answer too, so that an
    agent reads live exactly what a replay will give it.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        cache: AnswerCache,
        ledger: Ledger,
        retrying: Retrying,
        guard: LoopGuard,
        transcript: Transcript,
        redactor: Redactor,
        timeout: float,
    ) -> None:
        self.name = backend.name
        self._backend = backend
        self._cache = cache
        self._ledger = ledger
        self._retrying = retrying
        self._guard = guard
        self._transcript = transcript
        self._redactor = redactor
        self._timeout = timeout
        self._lock = threading.Lock()
        self._put: Counter[str] = Counter()
        self._prepared = False
        self._silent = False
        self._answered = any(_was_answered(record) for record in transcript.records())

    @property
    def money_spent(self) -> float:
        """US dollars that this process has spent, as far as prices are known."""
        return self._ledger.money_spent

    def ask(self, request: Request, progress: Progress) -> Answer:
        """Put one request; see `Asker.ask`."""
        sent = map_strings(request, self._redactor.conceal)
        kept = keepable(request, self._redactor)
        key = kept.key
        with self._lock:
            self._put[key] += 1
            occurrence = self._put[key]
        retries: list[str] = []
        clock = self._retrying.clock
        started = clock.monotonic()
        try:
            self._guard.check(key)
            cached = self._cache.get(kept, occurrence)
            if cached is None:
                answer = map_strings(self._send(sent, retries, started, progress), self._redactor.conceal)
                kept_answer = map_strings(answer, self._redactor.portable)
                self._cache.put(kept, occurrence, kept_answer)
            else:
                kept_answer = cached
        except LanguageModelError as error:
            seconds = clock.monotonic() - started
            self._ledger.charge(Usage(), seconds)
            failure = replayable(error, self._redactor)
            self._transcript.call(self.name, kept, failure, retries=retries, seconds=seconds)
            raise failure from error
        seconds = 0.0 if cached is not None else clock.monotonic() - started
        self._ledger.charge(kept_answer.usage, seconds)
        self._guard.note(key, _outcome(kept_answer))
        self._transcript.call(self.name, kept, kept_answer, cached=cached is not None, retries=retries, seconds=seconds)
        return map_strings(kept_answer, self._redactor.local)

    def tool_result(self, said: Sequence[Message], call: ToolCall, run: Callable[[], str]) -> str:
        """Run the tool and record what it gives, without secrets."""
        record = tool_record(said, call, run(), self._redactor)
        self._transcript.tool(record)
        return self._redactor.local(record.result)

    def _send(self, request: Request, retries: list[str], started: float, progress: Progress) -> Answer:
        with self._lock:
            if not self._prepared:
                self._backend.prepare()
                self._prepared = True

        if self._silent:
            raise NotAskedError("the language model is not asked", why="it did not answer the first question either")

        def attempt() -> Answer:
            waited = self._retrying.clock.monotonic() - started
            self._ledger.send(waited)
            left = self._ledger.seconds_left
            timeout = self._timeout if left is None else min(self._timeout, left - waited)
            return self._backend.send(request, timeout=timeout, first=not self._answered, progress=progress)

        def note(reason: str, pause: float) -> None:
            retries.append(f"{self._redactor.conceal(reason)}; after {pause:.1f} s")

        try:
            answer = self._retrying.call(attempt, on_retry=note, seconds_left=self._ledger.seconds_left)
        except UnavailableError:
            self._silent = not self._answered
            raise
        self._answered = True
        return answer


def keepable(model: ModelT, redactor: Redactor) -> ModelT:
    """A message, request or record as transcripts and caches hold it: no secrets, and marks in place of folders."""
    return map_strings(model, lambda text: redactor.portable(redactor.conceal(text)))


def tool_record(said: Sequence[Message], call: ToolCall, result: str, redactor: Redactor) -> ToolRecord:
    """What a tool gave, with the key of the conversation up to its call."""
    conversation = content_key([keepable(message, redactor).model_dump(mode="json") for message in said])
    record = ToolRecord(conversation=conversation, tool_call_id=call.id, name=call.name, result=result)
    return keepable(record, redactor)


def replayable(error: LanguageModelError, redactor: Redactor) -> LanguageModelError:
    """The error without secrets and with marks in place of folders."""
    what, why, remedy = (redactor.portable(redactor.conceal(text)) for text in (error.what, error.why, error.remedy))
    return type(error)(what, why=why, remedy=remedy)


def _outcome(answer: Answer) -> str:
    return content_key(answer.text, [(call.name, call.arguments) for call in answer.tool_calls])


def _was_answered(record: CallRecord | ToolRecord) -> bool:
    return isinstance(record, CallRecord) and record.answer is not None and not record.cached
