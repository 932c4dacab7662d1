"""The worker: a process that loads one variant and answers requests."""

import ctypes
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from textwrap import shorten
from typing import Any, cast

import torch
from pydantic import BaseModel, TypeAdapter
from torch import Tensor

from netwright.cases import Inputs, load_case
from netwright.errors import NetwrightError, UserError
from netwright.harness import protocol
from netwright.harness.channel import Channel, ChannelError
from netwright.harness.clock import Clock
from netwright.harness.draws import all_tensors, draw_call, floating_tensors
from netwright.harness.integrity import out_of_reach
from netwright.harness.machine import bandwidth, peak_rate
from netwright.harness.oracle import working_dtype
from netwright.harness.profile import peak_memory, profile_calls
from netwright.harness.protocol import Draw
from netwright.harness.reference import Reference
from netwright.harness.sampler import Sampler
from netwright.harness.settings import current_settings
from netwright.harness.stages import Stage, StageError, during
from netwright.harness.subject import Subject
from netwright.loading import load_attribute

PR_SET_PDEATHSIG = 1
TRACEBACK_LINES = 12
MESSAGE_LENGTH = 300

Answer = BaseModel | tuple[BaseModel, dict[str, Tensor]]


class Worker:
    """Answers requests about one variant of one case.

    Args:
        before_variant: Called when the case is built and the variant not yet imported.
    """

    def __init__(self, clock: Clock, before_variant: Callable[[], None] = lambda: None) -> None:
        self._clock = clock
        self._before_variant = before_variant
        self._subject: Subject | None = None
        self._draw = Draw()

    def answer(self, request: Any) -> Answer:
        """What `request` asks for.

        Raises:
            StageError: The case's or the variant's code raised.
        """
        handler: Callable[[Any], Answer] = getattr(self, request.kind)
        return handler(request)

    @property
    def subject(self) -> Subject:
        """The variant, loaded."""
        assert self._subject is not None, "the first request is Load"
        return self._subject

    def load(self, request: protocol.Load) -> Answer:
        torch.set_num_threads(request.threads)
        settings = current_settings()
        self._draw = Draw(seed=request.weight_seed, weight_seed=request.weight_seed)
        with during("case"):
            case = load_case(request.case, request.options)
            device = torch.device(case.options.device)
            if device.index is not None:
                torch.cuda.set_device(device)
            self._clock.bind(device)
        started = self._clock.seconds()
        self._subject = Subject(case, request.variant, self._clock, self._draw, self._before_variant)
        seconds = self._clock.seconds() - started
        with during("case"):
            inputs = draw_call(case, self._draw)
        tensors = all_tensors(inputs)
        self._sampler = Sampler(self._subject)
        self._reference = Reference(self._subject)
        return protocol.Loaded(
            seconds=seconds,
            settings=settings,
            device=case.options.device,
            dtype=str(working_dtype(self._subject.module, inputs)).removeprefix("torch."),
            batch_size=tensors[0].shape[0] if tensors and tensors[0].dim() else 1,
            input_bytes=sum(tensor.numel() * tensor.element_size() for tensor in tensors),
            floating_inputs=bool(floating_tensors(inputs)),
            tolerance=case.tolerance,
        )

    def run(self, request: protocol.Run) -> Answer:
        return self.subject.run(request.draw)

    def expect(self, request: protocol.Expect) -> Answer:
        return self._reference.expect(request.draw, request.precision)

    def provide(self, request: protocol.Provide) -> Answer:
        with during("case"):
            inputs = all_tensors(draw_call(self.subject.case, request.draw))
        return protocol.Number(value=len(inputs)), {str(index): tensor for index, tensor in enumerate(inputs)}

    def warm_up(self, request: protocol.WarmUp) -> Answer:
        self._draw = request.draw
        return self._sampler.warm_up(request.draw, request.seconds)

    def time(self, request: protocol.Time) -> Answer:
        return self._sampler.time(request.nonces, request.batch, request.cache)

    def prove(self, request: protocol.Prove) -> Answer:
        return self._sampler.prove(request.nonces)

    def reveal(self, request: protocol.Reveal) -> Answer:
        return self._sampler.reveal(request.calls)

    def recall(self, _: protocol.Recall) -> Answer:
        return self._sampler.recall()

    def profile(self, request: protocol.Profile) -> Answer:
        return profile_calls(self.subject, self._inputs(), request.calls, request.trace)

    def memory(self, _: protocol.Memory) -> Answer:
        return peak_memory(self.subject, self._inputs())

    def model_metric(self, request: protocol.ModelMetric) -> Answer:
        metric = cast("Callable[..., float]", load_attribute(request.target))
        return protocol.Number(value=float(metric(self.subject.model, self._inputs())))

    def bandwidth(self, request: protocol.Bandwidth) -> Answer:
        return protocol.Number(value=bandwidth(request.working_set, self.subject.device, self._clock))

    def peak_rate(self, request: protocol.PeakRate) -> Answer:
        dtype: torch.dtype = getattr(torch, request.dtype)
        return protocol.Number(value=peak_rate(dtype, self.subject.device, self._clock))

    def touched_bytes(self, request: protocol.TouchedBytes) -> Answer:
        return protocol.Number(value=self._reference.touched_bytes(request.draw))

    def _inputs(self) -> Inputs:
        with during("case"):
            return self.subject.feed.load(self._draw)


def serve(channel: Channel, worker: Worker, broken: Callable[[], str | None]) -> None:
    """Answer requests until the judge closes the channel.

    Args:
        broken: What of the code that the worker relies on is not as it was, or None; asked after each answer but those
            whose time counts: the next one is soon enough.
    """
    requests: TypeAdapter[Any] = TypeAdapter(protocol.Request)
    while True:
        try:
            text, _ = channel.receive()
        except ChannelError:
            return
        token, _, body = text.partition(" ")
        try:
            request = requests.validate_json(body)
            answer = worker.answer(request)
            if request.kind != "prove":
                _require_nothing_broken(broken)
        except Exception as error:  # every failure of someone else's code is the judge's to report
            channel.send(f"{token} {protocol.FAILED} {_failure(error).model_dump_json()}")
            continue
        reply, tensors = answer if isinstance(answer, tuple) else (answer, {})
        channel.send(f"{token} {protocol.ANSWERED} {reply.model_dump_json()}", tensors)


def _require_nothing_broken(broken: Callable[[], str | None]) -> None:
    with during("integrity"):
        if what := broken():
            raise NetwrightError(f"it replaces {what}")


def die_with_parent() -> None:
    """Have the kernel kill this process when the judge dies (Linux)."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent or parent == 1:
            os._exit(1)


def main(descriptor: int, folder: str | None = None) -> None:
    """Serve the judge at the other end of the inherited socket.

    Args:
        folder: Where relative paths begin, for a worker in a cage, which whoever built the cage ends.
    """
    if folder is None:
        die_with_parent()
    else:
        os.chdir(folder)
    connection = socket.socket(fileno=descriptor)
    connection.set_inheritable(False)
    integrity = out_of_reach()
    serve(Channel(connection), Worker(Clock(), integrity.remember), integrity.broken)


def _failure(error: Exception) -> protocol.Failure:
    stage: Stage = error.stage if isinstance(error, StageError) else "call"
    cause: BaseException = error.__cause__ if isinstance(error, StageError) and error.__cause__ else error
    lines = "".join(traceback.format_exception(cause)).rstrip().splitlines()[-TRACEBACK_LINES:]
    if isinstance(cause, NetwrightError):
        what, why, remedy = cause.what, cause.why, cause.remedy
    else:
        what, why, remedy = shorten(f"{type(cause).__name__}: {cause}", MESSAGE_LENGTH, placeholder=" ..."), "", ""
    return protocol.Failure(
        stage=stage,
        what=what,
        why=why,
        remedy=remedy,
        user_error=isinstance(cause, UserError),
        traceback="\n".join(lines),
    )
