"""The trial: candidates and baselines tried quickly in one process, to find those worth a full verification."""

import os
import select
import signal
import socket
import time
from types import TracebackType
from typing import Self, TypeVar

from pydantic import BaseModel

from netwright.cases import CaseOptions
from netwright.context import current_run
from netwright.errors import NetwrightError
from netwright.harness.channel import Channel, ChannelError
from netwright.harness.confinement import may_use_gpu
from netwright.harness.process import PlainWorker
from netwright.harness.timing import TimingConfig
from netwright.harness.variant import Variant
from netwright.machine import usable_cores
from netwright.result import Record
from netwright_fusion.trial_protocol import FAILED, Loaded, LoadRequest, OpenRequest, Timed, TimeRequest

AnswerT = TypeVar("AnswerT", bound=BaseModel)

START_S = 600.0
ANSWER_S = 60.0
TICK_S = 0.5
MOST_CROWDING = 6.0
"""A busy machine stretches a box by this factor at most."""
TIMING_S = 3.0
LEAST_ROUNDS, MOST_ROUNDS = 5, 60


class TrialRow(Record):
    """How one variant did in the trial."""

    label: str
    call_ms: float | None = None
    """The shortest of a few calls, one after another."""
    median_ms: float | None = None
    """Over rounds in which all took turns."""
    first_call_s: float | None = None
    failed: str | None = None
    """Why it cannot be used: it raised, crashed, computed something else, or took longer than its box."""
    box_hit: bool = False


class TrialError(NetwrightError):
    """The trial's process cannot even build the case."""


class Trial:
    """Loads variants into one process of its own, which is started anew when one of them takes it down.

    Use it as a context manager; the process ends with the block.

    Args:
        check: Whether first outputs are held against the float64 oracle.
        compile_box_s: Longest wait for one variant to load and make its first calls.
        total_box_s: Time budget: variants that come later are left out. What others keep the processor from is not
            counted, in neither box.

    Attributes:
        rows: By label, in the order in which they were tried.
    """

    def __init__(
        self,
        case: str,
        options: CaseOptions,
        timing: TimingConfig,
        *,
        seed: int,
        check: bool,
        compile_box_s: float,
        total_box_s: float,
    ) -> None:
        threads = timing.threads or usable_cores()
        self._open = OpenRequest(case=case, options=options, threads=threads, seed=seed)
        self._timing = timing
        self._check = check
        self._compile_box_s = compile_box_s
        self._total_box_s = total_box_s
        self._spent_s = 0.0
        self._process: PlainWorker | None = None
        self._channel: Channel | None = None
        self._socket: socket.socket | None = None
        self._ready = False
        self._variants: dict[str, Variant] = {}
        self._loaded: set[str] = set()
        self.rows: dict[str, TrialRow] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def load(self, variant: Variant, *, needed: bool = False) -> TrialRow:
        """Load a variant and make a few calls; what goes wrong is in the row.

        Args:
            needed: Whether to load it even if the time budget is used up.

        Raises:
            TrialError: The case cannot be built.
        """
        label = variant.label
        if not needed and self._spent_s > self._total_box_s:
            reason = f"the time box of {self._total_box_s:g} s was used up before it was tried"
            self.rows[label] = TrialRow(label=label, failed=reason, box_hit=True)
            return self.rows[label]
        with current_run().step(f"try {label}") as step:
            row = self._load(variant)
            if row.call_ms is not None:
                step.advance(1, ms=row.call_ms)
        self._variants[label] = variant
        self.rows[label] = row
        return row

    def time(self) -> dict[str, TrialRow]:
        """Time all that work, side by side; a process that dies over one of them is started anew without it."""
        with current_run().step("time the trial"):
            while labels := [label for label, row in self.rows.items() if row.failed is None]:
                if any(label not in self._loaded for label in labels):
                    self._reload(labels)
                    continue
                request = TimeRequest(
                    labels=tuple(labels),
                    seconds=TIMING_S,
                    least_rounds=LEAST_ROUNDS,
                    most_rounds=MOST_ROUNDS,
                    cache=self._timing.cache,
                )
                answer = self._ask(request, Timed, self._timing.call_timeout_s + TIMING_S)
                if isinstance(answer, Timed):
                    for label, median_ms in answer.medians.items():
                        self.rows[label] = self.rows[label].model_copy(update={"median_ms": median_ms})
                    break
                self._end()
                slowest = max(labels, key=lambda label: self.rows[label].call_ms or 0.0)
                self.rows[slowest] = self.rows[slowest].model_copy(update={"failed": answer[0]})
        return self.rows

    def _load(self, variant: Variant) -> TrialRow:
        label = variant.label
        answer = self._ask(LoadRequest(variant=variant, check=self._check), Loaded, self._compile_box_s)
        if isinstance(answer, Loaded):
            self._loaded.add(label)
            wrong = f"in the trial, {answer.complaint}" if answer.complaint else None
            return TrialRow(label=label, call_ms=answer.call_ms, first_call_s=answer.first_call_s, failed=wrong)
        return TrialRow(label=label, failed=answer[0], box_hit=answer[1])

    def _reload(self, labels: list[str]) -> None:
        for label in labels:
            if label not in self._loaded:
                row = self._load(self._variants[label])
                if row.failed:
                    self.rows[label] = row

    def _ask(self, request: BaseModel, answer: type[AnswerT], timeout: float) -> AnswerT | tuple[str, bool]:
        """The answer, or why there is none and whether that was a matter of time."""
        channel = self._reached()
        try:
            channel.send(request.model_dump_json())
            if not self._is_answered(timeout):
                self._end()
                return f"it took longer than its time box of {timeout:g} s", True
            text, _ = channel.receive(ANSWER_S)
        except TimeoutError:
            self._end()
            return "it gave half an answer", False
        except ChannelError:
            return f"its process {self._how_it_ended()}", False
        if text.startswith(FAILED):
            return text.removeprefix(FAILED), False
        return answer.model_validate_json(text)

    def _is_answered(self, box_s: float) -> bool:
        """Wait for an answer, and count how long that took, less where other programs want the processors, too: a box
        is there for what takes long, not for what has to wait.
        """
        assert self._socket is not None
        took, before = 0.0, time.monotonic()
        while True:
            readable, _, _ = select.select([self._socket], [], [], TICK_S)
            now = time.monotonic()
            took += (now - before) / _crowding()
            before = now
            if readable or took > box_s:
                self._spent_s += took
                return bool(readable)

    def start(self) -> None:
        """Start the process, and go on while it builds the case."""
        ours, theirs = socket.socketpair()
        with theirs:
            cuda = may_use_gpu(self._open.options)
            self._process = PlainWorker(theirs, {}, cuda=cuda, module="netwright_fusion.trial_worker")
        self._socket = ours
        self._channel = Channel(ours)
        self._ready = False
        self._channel.send(self._open.model_dump_json())

    def _reached(self) -> Channel:
        """The channel to the process, which has built the case.

        Raises:
            TrialError: It cannot.
        """
        if self._channel is None:
            self.start()
        assert self._channel is not None
        if self._ready:
            return self._channel
        try:
            text, _ = self._channel.receive(START_S)
        except (TimeoutError, ChannelError):
            raise TrialError(
                "the case cannot be tried", why=f"the process that builds it {self._how_it_ended()}"
            ) from None
        if text.startswith(FAILED):
            self._end()
            raise TrialError("the case cannot be built", why=text.removeprefix(FAILED))
        self._ready = True
        return self._channel

    def _how_it_ended(self) -> str:
        if self._process is None:
            return "ended"
        code = self._process.exit_code()
        self._end()
        if code is not None and code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"ended with exit code {code}" if code is not None else "does not answer"

    def _end(self) -> None:
        self._loaded.clear()
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            self._process.kill()
            self._process = None


def _crowding() -> float:
    """How many want each processor of this machine at the moment, at least 1."""
    return min(max(os.getloadavg()[0] / (os.cpu_count() or 1), 1.0), MOST_CROWDING)
