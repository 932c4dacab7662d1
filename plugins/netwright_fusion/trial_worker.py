"""The trial's process: loads candidates one after another, makes a call of each, and times them side by side.

What it says chooses finalists and decides nothing else: the harness judges those afterwards, each in a process of its
own.
"""

import socket
import statistics
import traceback
from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from pydantic import TypeAdapter
from torch import nn

from netwright.cases import Case, CaseOptions, Inputs, load_case
from netwright.cases.module import copy_module
from netwright.cases.seeding import seeded
from netwright.harness.channel import Channel, ChannelError
from netwright.harness.clock import Clock
from netwright.harness.compare import Yardstick
from netwright.harness.draws import draw_call, draw_module
from netwright.harness.eviction import Eviction
from netwright.harness.observe import as_tensor, flatten
from netwright.harness.protocol import Draw
from netwright.harness.subject import load_variant
from netwright.harness.worker import die_with_parent
from netwright_fusion.expectation import first_complaint, yardsticks
from netwright_fusion.trial_protocol import FAILED, Loaded, LoadRequest, Request, Timed, TimeRequest

Forward = Callable[..., object]
WARM_UP_CALLS = 5
WARM_UP_MS = 400.0


class TrialWorker:
    """One case, and every candidate that was loaded so far."""

    def __init__(self, case_name: str, options: CaseOptions, threads: int, seed: int) -> None:
        torch.set_num_threads(threads)
        self.case: Case = load_case(case_name, options)
        self.draw = Draw(seed=seed, weight_seed=seed)
        self.clock = Clock()
        self.device = torch.device(self.case.options.device)
        self.clock.bind(self.device)
        self.module = draw_module(self.case, self.draw)
        self.inputs: Inputs = draw_call(self.case, self.draw)
        self.forwards: dict[str, Forward] = {}
        self._evict: Eviction | None = None
        self._expected: dict[str, Yardstick] | None = None

    def load(self, request: LoadRequest) -> Loaded:
        """Load a candidate, make its first call, hold that against float64, and call until its times are stable."""
        started = self.clock.seconds()
        forward, owner = load_variant(request.variant, self.case, self._module())
        _share_weights(owner, self.module)
        output = self._call(forward)
        self.clock.synchronize()
        seconds = self.clock.seconds() - started
        wrong = self._complaint(output) if request.check else None
        times: list[float] = []
        while len(times) < WARM_UP_CALLS and sum(times) < WARM_UP_MS:
            times.append(self._time(forward))
        self.forwards[request.variant.label] = forward
        return Loaded(first_call_s=seconds, call_ms=min(times), complaint=wrong)

    def time(self, request: TimeRequest) -> Timed:
        """Time loaded candidates in rounds, in an order that turns."""
        self._evict = self._evict or (Eviction(self.device) if request.cache == "cold" else None)
        times: dict[str, list[float]] = {label: [] for label in request.labels}
        started = self.clock.seconds()
        for number in range(request.most_rounds):
            if number >= request.least_rounds and self.clock.seconds() - started > request.seconds:
                break
            turned = number % len(request.labels)
            for label in [*request.labels[turned:], *request.labels[:turned]]:
                if self._evict:
                    self._evict()
                times[label].append(self._time(self.forwards[label]))
        return Timed(medians={label: statistics.median(each) for label, each in times.items()})

    def _module(self) -> nn.Module:
        """The module for a baseline to take: a copy that shares the weights, so that each compiles its own."""
        memo: dict[int, Any] = {id(value): value for value in self.module.parameters()}
        try:
            return copy_module(self.module, memo)
        except (RuntimeError, TypeError, NotImplementedError):
            return self.module

    def _call(self, forward: Forward) -> object:
        with torch.no_grad(), seeded(self.draw.seed):
            return forward(*self.inputs.args, **self.inputs.kwargs)

    def _time(self, forward: Forward) -> float:
        with torch.no_grad():
            return self.clock.time(lambda: forward(*self.inputs.args, **self.inputs.kwargs))[0]

    def _complaint(self, output: object) -> str | None:
        if self._expected is None:
            exact = draw_module(self.case, self.draw)
            self._expected = yardsticks(self._module(), exact, self.inputs, seed=self.draw.seed)
        found = {f"output {index}": as_tensor(leaf) for index, leaf in enumerate(flatten(output)[1])}
        outputs = {name: each for name, each in self._expected.items() if name.startswith("output")}
        return first_complaint(found, outputs, self.case.tolerance)


def _share_weights(owner: nn.Module, module: nn.Module) -> None:
    """Let a candidate's module use the weights that are in memory already."""
    if owner is not module:
        shared = dict(module.named_parameters())
        own = {name for name, _ in owner.named_parameters()}
        if own <= set(shared):
            with torch.no_grad():
                owner.load_state_dict({name: shared[name] for name in own}, strict=False, assign=True)


def serve(channel: Channel) -> None:
    """Answer requests until the other end closes the channel."""
    requests: TypeAdapter[Any] = TypeAdapter(Request)
    worker: TrialWorker | None = None
    while True:
        try:
            request = requests.validate_json(channel.receive()[0])
        except ChannelError:
            return
        try:
            if request.kind == "open":
                worker = TrialWorker(request.case, request.options, request.threads, request.seed)
                import_module("torch._inductor.compile_fx")  # takes seconds, and nobody waits for them yet
                channel.send("{}")
                continue
            assert worker is not None
            answer = worker.load(request) if request.kind == "load" else worker.time(request)
        except Exception as error:  # a candidate or a compiler may raise anything, and the others go on
            text = " ".join(f"{type(error).__name__}: {error}".split())
            channel.send(f"{FAILED}{text[:500]}")
            traceback.print_exc()
            continue
        channel.send(answer.model_dump_json())


def main(descriptor: int) -> None:
    """Serve at the other end of the inherited socket."""
    die_with_parent()
    connection = socket.socket(fileno=descriptor)
    connection.set_inheritable(False)
    serve(Channel(connection))
