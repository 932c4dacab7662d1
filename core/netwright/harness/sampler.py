"""Timed calls of a subject: warm-up, samples, and one of their outputs kept for the judge."""

from random import SystemRandom
from statistics import median

import torch
from torch import Tensor, manual_seed  # as it was before anybody replaced it

from netwright.errors import NetwrightError
from netwright.harness.eviction import Eviction
from netwright.harness.observe import as_tensor, digest, flatten, leaf_facts
from netwright.harness.protocol import Cache, Draw, Number, Proved, Recalled, Times, WarmedUp
from netwright.harness.settings import current_settings
from netwright.harness.stages import during
from netwright.harness.subject import Subject

LAST = 5
"""The calls whose times must agree for a warm-up to end."""
SPREAD = 0.05
"""How far, relative to the fastest of them, they may lie apart."""


class Sampler:
    """Times a subject's calls."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._clock = subject.clock
        self._eviction: Eviction | None = None
        self._stateful = False
        self._seed = 0
        self._random = SystemRandom()
        self._proof: dict[str, Tensor] = {}
        self._processor_ms = 0.0
        self._kept: tuple[Recalled, dict[str, Tensor]] | None = None

    def warm_up(self, draw: Draw, seconds: float) -> WarmedUp:
        """Load the inputs of `draw`, call once, then until the times agree or `seconds` are over.

        Raises:
            StageError: A call raised.
        """
        inputs = self._subject.prepare(draw)
        self._seed = draw.seed
        first_ms, _ = self._clock.time(lambda: self._subject.call(inputs))
        self._stateful = self._subject.buffers_changed
        started = self._clock.seconds()
        times: list[float] = []
        while len(times) < LAST or max(times[-LAST:]) > (1 + SPREAD) * min(times[-LAST:]):
            times.append(self._sample(0, 1, "warm"))
            if self._clock.seconds() - started > seconds:
                break
        eviction_ms = median(self._evict() for _ in range(3))
        return WarmedUp(first_call_s=first_ms / 1e3, call_ms=median(times[-LAST:]), eviction_ms=eviction_ms)

    def time(self, nonces: tuple[int, ...], batch: int, cache: Cache) -> Times:
        """The latencies per call, one sample per nonce.

        The last output of one sample is kept; which one is drawn after the calls.

        Raises:
            StageError: A call raised.
        """
        self._kept = None
        size = 1 if self._stateful else batch
        times = [self._sample(nonce, size, cache, keep=1 / number) for number, nonce in enumerate(nonces, start=1)]
        return Times(times_ms=tuple(times), batch=size, settings=current_settings())

    def prove(self, nonces: tuple[int, ...]) -> Proved:
        """Single calls, one per nonce; digests of their outputs, which are kept.

        Raises:
            StageError: A call raised.
        """
        self._proof = {}
        digests: dict[str, str] = {}
        call_ms, self._processor_ms = 0.0, 0.0
        for number, nonce in enumerate(nonces):
            milliseconds, output = self._call(nonce, 1)
            call_ms += milliseconds
            for index, leaf in enumerate(flatten(output)[1]):
                name = f"{number}/output {index}"
                self._proof[name] = as_tensor(leaf)
                digests[name] = digest(self._proof[name])
        return Proved(call_ms=call_ms, processor_ms=self._processor_ms, digests=digests)

    def reveal(self, calls: tuple[int, ...]) -> tuple[Number, dict[str, Tensor]]:
        """The outputs of some calls of the last proof."""
        wanted = {str(call) for call in calls}
        shown = {name: tensor for name, tensor in self._proof.items() if name.partition("/")[0] in wanted}
        return Number(value=len(wanted)), shown

    def recall(self) -> tuple[Recalled, dict[str, Tensor]]:
        """The kept output of the last timed calls.

        Raises:
            NetwrightError: None was kept.
        """
        if self._kept is None:
            raise NetwrightError("no timed call's output was kept")
        return self._kept

    def _sample(self, nonce: int, batch: int, cache: Cache, *, keep: float = 0.0) -> float:
        """The latency per call in ms of `batch` calls on the inputs varied by `nonce`."""
        milliseconds, output = self._call(nonce, batch, cache)
        if self._random.random() < keep:
            self._keep(nonce, output)
        return milliseconds

    def _call(self, nonce: int, batch: int, cache: Cache = "warm") -> tuple[float, object]:
        """As `_sample`, and what the last call returned."""
        with during("case"):
            inputs = self._subject.feed.vary(nonce)
        if self._stateful:
            self._subject.restore_buffers()
        if cache == "cold":
            self._evict()
        manual_seed(self._seed)
        forward, args, kwargs = self._subject.forward, inputs.args, inputs.kwargs
        before_ms = self._clock.processor_ms()
        with during("call"), torch.no_grad():
            answer = self._clock.time(lambda: forward(*args, **kwargs), batch)
        self._processor_ms += self._clock.processor_ms() - before_ms
        return answer

    def _keep(self, nonce: int, output: object) -> None:
        structure, leaves = flatten(output)
        facts = tuple(leaf_facts(leaf, {}) for leaf in leaves)
        tensors = {f"output {index}": as_tensor(leaf) for index, leaf in enumerate(leaves)}
        self._kept = Recalled(nonce=nonce, structure=structure, leaves=facts), tensors

    def _evict(self) -> float:
        """Empty the processor's caches of the subject's data; the ms that took."""
        if self._eviction is None:
            self._eviction = Eviction(self._subject.device)
        return self._clock.time(self._eviction)[0]
