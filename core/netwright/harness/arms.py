"""The arm: the judge's handle on a worker; whatever happens in there comes back as an answer or an error."""

import signal
import socket
import time
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import Self, TypeVar

from pydantic import BaseModel, ValidationError
from torch import Tensor

from netwright.cases import CaseOptions
from netwright.errors import NetwrightError, UserError
from netwright.files import replace_file
from netwright.harness import protocol
from netwright.harness.channel import Channel, ChannelError, NotAMessageError
from netwright.harness.process import start_worker
from netwright.harness.protocol import Profiled
from netwright.harness.stages import Stage
from netwright.harness.usage import processor_seconds
from netwright.harness.variant import Variant
from netwright.sandbox import safe_read

START_SECONDS = 120.0
GRACE_SECONDS = 5.0
TRACE_NAME = "trace.json"
LARGEST_TRACE = 1 << 30

ReplyT = TypeVar("ReplyT", bound=BaseModel)


class ArmError(NetwrightError):
    """A worker could not answer: its code raised, it crashed, or it took too long.

    Args:
        stage: Whose code that was.
        traceback: The last lines of its traceback or of what it printed.
        raised: Whether its code raised, so that it is still there.
    """

    def __init__(
        self,
        what: str,
        *,
        why: str = "",
        remedy: str = "",
        stage: Stage = "call",
        traceback: str = "",
        raised: bool = False,
    ) -> None:
        super().__init__(what, why=why, remedy=remedy)
        self.stage = stage
        self.traceback = traceback
        self.raised = raised

    @property
    def check(self) -> str:
        """The name of the check that it fails."""
        return {"integrity": "integrity", "call": "runs"}.get(self.stage, "loads")


class Arm:
    """A worker with one variant; its process starts at once and is ready when `ready` returns.

    Use it as a context manager: the process and its whole process group end with the block.

    Args:
        case: The case's name.
        options: How to build it.
        variant: What to load.
        threads: Torch's CPU threads in the worker.
        seed: What the first weights are drawn from.
        start_timeout: Seconds for the worker to load case and variant.

    Attributes:
        wall_s: How long the last answer took, by the judge's clock.
        worked_s: Processor time that its processes spent on it, or `wall_s` where that is less or alone is known: on a
            machine that is busy with other things, processes wait.
        first_call_s: How long loading the variant and its first call took, by the worker's; None before that.
    """

    def __init__(
        self,
        case: str,
        options: CaseOptions,
        variant: Variant,
        *,
        threads: int,
        seed: int = 0,
        start_timeout: float = START_SECONDS,
    ) -> None:
        self.label = variant.label
        self.variant = variant
        self.wall_s = self.worked_s = 0.0
        self.first_call_s: float | None = None
        self._start_timeout = start_timeout
        self._deadline = time.monotonic() + start_timeout
        self._loaded: protocol.Loaded | None = None
        self._failed: ArmError | UserError | None = None
        self._token = ""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = start_worker(theirs, case, options, variant)
        self._channel = Channel(ours)
        self._send(protocol.Load(case=case, options=options, variant=variant, threads=threads, weight_seed=seed))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether it can be asked anything."""
        return self._failed is None

    def processor_seconds(self) -> float | None:
        """Processor time that its processes used so far; None where the system does not tell."""
        return processor_seconds(self._process.pid)

    @property
    def failed_check(self) -> str | None:
        """The check that it failed if it cannot be asked anything any more."""
        return self._failed.check if isinstance(self._failed, ArmError) else None

    def ready(self) -> protocol.Loaded:
        """Wait until case and variant are loaded.

        Raises:
            UserError: The case is wrong.
            ArmError: The case or the variant cannot be loaded.
        """
        if self._loaded is None:
            remaining = max(self._deadline - time.monotonic(), GRACE_SECONDS)  # it may have waited for its turn
            self._loaded, _ = self._receive(protocol.Loaded, remaining, self._start_timeout)
        return self._loaded

    def ask(self, request: BaseModel, reply: type[ReplyT], *, timeout: float) -> tuple[ReplyT, dict[str, Tensor]]:
        """Send a request and wait for its answer.

        Raises:
            UserError: The case is wrong.
            ArmError: There is no answer, or not in `timeout` seconds; the worker is then gone, unless its code raised.
        """
        self.ready()
        before, started = self.processor_seconds(), time.perf_counter()
        self._send(request)
        answer = self._receive(reply, timeout, timeout)
        self.wall_s, after = time.perf_counter() - started, self.processor_seconds()
        self.worked_s = self.wall_s if before is None or after is None else min(self.wall_s, after - before)
        return answer

    def profile(self, calls: int, trace: Path | None, *, timeout: float) -> Profiled:
        """Profile some calls on the draw of the warm-up.

        Args:
            trace: Where to write the Chrome trace, or None.

        Raises:
            ArmError: There is no answer, or not in `timeout` seconds.
            NetwrightError: A worker in a cage left no trace to copy.
        """
        scratch = self._process.scratch
        written = scratch / TRACE_NAME if trace and scratch else trace
        profiled, _ = self.ask(protocol.Profile(calls=calls, trace=written), Profiled, timeout=timeout)
        if trace and scratch:
            content = safe_read(scratch, TRACE_NAME, limit=LARGEST_TRACE)
            with replace_file(trace) as temporary:
                temporary.write_bytes(content)
        return profiled

    def note_first_call(self, seconds: float) -> None:
        """Remember how long loading the variant and its first call took; later calls change nothing."""
        if self.first_call_s is None:
            self.first_call_s = self.ready().seconds + seconds

    def close(self) -> None:
        """Kill the worker and its process group."""
        self._channel.close()
        self._process.kill()

    def _send(self, request: BaseModel) -> None:
        if self._failed is not None:
            raise self._failed
        try:
            self._token = token_hex()
            self._channel.send(f"{self._token} {request.model_dump_json()}")
        except ChannelError:
            raise self._end(self._crash()) from None

    def _receive(self, reply: type[ReplyT], timeout: float, shown: float) -> tuple[ReplyT, dict[str, Tensor]]:
        if self._failed is not None:
            raise self._failed
        try:
            text, tensors = self._channel.receive(timeout)
            token, _, answer = text.partition(" ")
            outcome, _, body = answer.partition(" ")
            if token != self._token:
                raise self._end(self._forged("it does not answer the last request"))
            if outcome == protocol.ANSWERED:
                return reply.model_validate_json(body), tensors
            raised = self._raised(protocol.Failure.model_validate_json(body))
        except TimeoutError:
            error = ArmError(f"'{self.label}' gave no answer in {shown:g} s", why="it was killed", stage=self._stage)
            raise self._end(error) from None
        except NotAMessageError as error:
            raise self._end(self._forged(str(error))) from None
        except ChannelError:
            raise self._end(self._crash()) from None
        except ValidationError as problem:
            raise self._end(self._forged(problem.errors()[0]["msg"])) from None
        if self._loaded is None:
            self._failed = raised
        if isinstance(raised, ArmError) and raised.stage == "integrity":
            self._end(raised)
        raise raised

    def _forged(self, reason: str) -> ArmError:
        what = f"'{self.label}' answered what is no answer"
        return ArmError(what, why=f"someone else wrote to the judge's channel: {reason}", stage="integrity")

    def _raised(self, failure: protocol.Failure) -> ArmError | UserError:
        if failure.user_error and failure.stage == "case":
            return UserError(failure.what, why=failure.why, remedy=failure.remedy)
        return ArmError(
            failure.what,
            why=failure.why,
            remedy=failure.remedy,
            stage=failure.stage,
            traceback=failure.traceback,
            raised=True,
        )

    def _crash(self) -> ArmError:
        """The error for a worker that closed the channel, with the last lines that it printed."""
        code = self._process.exit_code()
        if code is None:
            return ArmError(f"'{self.label}' closed the judge's channel", stage=self._stage)
        end = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended by itself with exit code {code}"
        printed = self._process.printed()
        why = f"it last printed: {' / '.join(printed)}" if printed else ""
        remedy = "if the machine ran out of memory, make the case smaller" if code == -signal.SIGKILL else ""
        what = f"the process of '{self.label}' {end}"
        return ArmError(what, why=why, remedy=remedy, stage=self._stage, traceback="\n".join(printed))

    @property
    def _stage(self) -> Stage:
        return "variant" if self._loaded is None else "call"

    def _end(self, error: ArmError) -> ArmError:
        """Kill the worker: it cannot be trusted to answer anything any more."""
        self._failed = error
        self.close()
        return error
