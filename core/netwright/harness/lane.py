"""The lane: one arm's turns in a timing, and the timing that comes of them."""

from collections.abc import Callable
from random import SystemRandom
from statistics import median

from netwright.harness import protocol
from netwright.harness.arms import Arm, ArmError
from netwright.harness.protocol import Draw
from netwright.harness.settings import THREADS
from netwright.harness.statistics import median_interval
from netwright.harness.timing import Timing, TimingConfig

TURN_MS = 50.0
"""A turn takes about this long: the shorter, the better the arms are interleaved."""
SAMPLES_PER_TURN = 10
SAMPLE_MS = 5.0
"""Calls shorter than this are timed several at a time when caches are warm, so that the clock's own cost vanishes."""


class Lane:
    """Warms an arm up, has it take turns, and collects its times.

    Args:
        arm: A worker; its failures end up in the timing.
        draw: The weights and inputs to run on.
    """

    def __init__(self, arm: Arm, config: TimingConfig, draw: Draw) -> None:
        self.label = arm.label
        self.arm = arm
        self.failure: str | None = None
        self.last_turn_s = 0.0
        self._config = config
        self._draw = draw
        self._random = SystemRandom()
        self._batch = self._samples = 1
        self._times: list[float] = []
        self._calls = 0

    @property
    def settings(self) -> dict[str, str]:
        """Torch's settings in the worker before the variant was loaded."""
        return self.arm.ready().settings

    def warm_up(self) -> None:
        """Load, make the first call, and call until the times are stable.

        Raises:
            UserError: The case is wrong.
        """
        try:
            warm_up, _ = self.arm.ask(
                protocol.WarmUp(draw=self._draw, seconds=self._config.warm_up_seconds),
                protocol.WarmedUp,
                timeout=self._config.compile_timeout_s + self._config.warm_up_seconds,
            )
        except ArmError as error:
            self.failure = str(error)
            return
        self.arm.note_first_call(warm_up.first_call_s)
        sample_ms = warm_up.call_ms + warm_up.eviction_ms
        if self._config.cache == "warm":
            self._batch = max(1, round(SAMPLE_MS / max(warm_up.call_ms, 1e-4)))
            sample_ms = warm_up.call_ms * self._batch
        self._samples = max(1, min(SAMPLES_PER_TURN, int(TURN_MS / max(sample_ms, 1e-4))))

    def take_turn(self, settings: dict[str, str]) -> None:
        """Time some calls.

        Args:
            settings: Torch's settings that must be in force.
        """
        nonces = tuple(self._random.randrange(1, 2**31) for _ in range(self._samples))
        request = protocol.Time(nonces=nonces, batch=self._batch, cache=self._config.cache)
        try:
            times, _ = self.arm.ask(request, protocol.Times, timeout=self._config.call_timeout_s)
        except ArmError as error:
            self.failure = str(error)
            return
        different = [name for name in settings if times.settings.get(name) != settings[name]]
        if different:
            name = different[0]
            self.failure = f"it ran with {name} {times.settings.get(name)}, the others with {settings[name]}"
            return
        self.last_turn_s = self.arm.wall_s
        self._times.append(median(times.times_ms))
        self._calls += len(nonces) * times.batch

    def margin(self, seed: int) -> float:
        """The relative margin of error of the median so far; 0 where there is none to come."""
        if self.failure is not None:
            return 0.0
        low, high = median_interval(self._times, confidence=self._config.confidence, seed=seed)
        middle = median(self._times)
        return max(high - middle, middle - low) / middle

    def show(self, inspect: Callable[[Arm], None]) -> None:
        """Let `inspect` see the arm while it remembers a call of the last turn."""
        try:
            inspect(self.arm)
        except ArmError as error:
            self.failure = str(error)

    def timing(self, seed: int) -> Timing:
        """What came of it.

        Args:
            seed: Draws the bootstrap's resamples.
        """
        if self.failure is not None:
            return Timing(label=self.label, cache=self._config.cache, not_measured=self.failure)
        loaded = self.arm.ready()
        memory, reason = self._peak_memory()
        return Timing(
            label=self.label,
            times_ms=tuple(self._times),
            median_ms=median(self._times),
            ci_ms=median_interval(self._times, confidence=self._config.confidence, seed=seed),
            confidence=self._config.confidence,
            calls=self._calls,
            cache=self._config.cache,
            device=loaded.device,
            threads=int(loaded.settings[THREADS]),
            precision={name: value for name, value in loaded.settings.items() if name != THREADS},
            batch_size=loaded.batch_size,
            first_call_s=self.arm.first_call_s,
            peak_memory_bytes=memory,
            memory_not_measured=reason,
        )

    def _peak_memory(self) -> tuple[int | None, str | None]:
        try:
            number, _ = self.arm.ask(protocol.Memory(), protocol.Number, timeout=self._config.call_timeout_s)
        except ArmError as error:
            return None, str(error)
        return (None if number.value is None else int(number.value)), number.not_measured
