"""The judge: knows what the unmodified module does, and never shares a process with what it judges."""

import threading
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

import torch
from pydantic import BaseModel
from torch import Tensor

from netwright.cases import CaseOptions
from netwright.errors import NetwrightError, UserError
from netwright.harness import protocol
from netwright.harness.arms import Arm, ArmError, ReplyT
from netwright.harness.compare import Yardstick, complaint, errors, rms
from netwright.harness.observe import digest
from netwright.harness.protocol import Draw, Expectation, Observed, Profiled
from netwright.harness.variant import EAGER

LABEL = "the unmodified module"
REMEMBERED_BYTES = 1 << 30
"""Once all expectations that are kept take as much, further ones are asked for each time."""


class JudgeError(NetwrightError):
    """The unmodified module cannot be built or called: nothing can be held against it.

    Args:
        raised: Whether its code raised on its own inputs, which is for the user to mend.
    """

    def __init__(self, what: str, *, why: str = "", remedy: str = "", raised: bool = False) -> None:
        super().__init__(what, why=why, remedy=remedy)
        if raised:
            self.exit_code = UserError.exit_code


@dataclass(frozen=True)
class Expected:
    """What a call on one draw should do.

    Attributes:
        facts: How the unmodified module's output is built and what its call changes.
        yardsticks: Per output and per changed input, parameter or buffer, what its values are held against; empty
            where there is no float64 oracle.
    """

    facts: Expectation
    yardsticks: dict[str, Yardstick]


class Judge:
    """The reference worker of one case and what it has said so far; threads may ask it for expectations.

    Use it as a context manager; the worker ends with the block.

    Args:
        case: The case's name.
        options: How to build it.
        threads: Torch's CPU threads in the worker.
        seed: What the first weights are drawn from.
        call_timeout: Seconds for the unmodified module to answer one request.
    """

    def __init__(self, case: str, options: CaseOptions, *, threads: int, seed: int, call_timeout: float) -> None:
        self._arm = Arm(case, options, EAGER.model_copy(update={"label": LABEL}), threads=threads, seed=seed)
        self._timeout = call_timeout
        self._lock = threading.Lock()
        self._expected: dict[tuple[Draw, str | None], Expected] = {}
        self._remembered_bytes = 0
        self._profile: Profiled | None = None
        self._repeatable: bool | None = None
        self._warm: Draw | None = None
        self._numbers: dict[BaseModel, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End its worker."""
        self._arm.close()

    @property
    def alive(self) -> bool:
        """Whether it can be asked anything."""
        return self._arm.alive

    @property
    def arm(self) -> Arm:
        """The unmodified module's worker, to be timed beside the variants."""
        return self._arm

    @property
    def loaded(self) -> protocol.Loaded:
        """The facts of the case.

        Raises:
            UserError: The case is wrong.
            JudgeError: It cannot be loaded.
        """
        try:
            return self._arm.ready()
        except ArmError as error:
            raise _judge_error(error) from error

    def expected(self, draw: Draw, precision: str | None = None) -> Expected:
        """What a call on `draw` should do.

        Args:
            precision: The floating-point type in which a variant declares to compute; null means the case's own.

        Raises:
            JudgeError: The unmodified module cannot be called on it.
        """
        with self._lock:
            if (known := self._expected.get((draw, precision))) is not None:
                return known
            self._warm = None
            facts, tensors = self._ask(protocol.Expect(draw=draw, precision=precision), Expectation)
            yardsticks = {} if facts.oracle_failure else self._yardsticks(facts, tensors, precision)
            expected = Expected(facts, yardsticks)
            if draw.nonce == 0 and self._remembered_bytes < REMEMBERED_BYTES:
                self._expected[draw, precision] = expected
                self._remembered_bytes += sum(tensor.nbytes for tensor in tensors.values())
            return expected

    def is_repeatable(self, draw: Draw) -> bool:
        """Whether two calls of the unmodified module on `draw` leave the same bits.

        Raises:
            JudgeError: It cannot be called.
        """
        with self._lock:
            if self._repeatable is None:
                first, again = (self._ask(protocol.Run(draw=draw), Observed)[1] for _ in range(2))
                self._repeatable = {name: digest(each) for name, each in first.items()} == {
                    name: digest(each) for name, each in again.items()
                }
            return self._repeatable

    @property
    def output_bytes(self) -> int:
        """The size of all outputs of one call."""
        known = next(iter(self._expected.values()))
        return sum(each.eager.nbytes for name, each in known.yardsticks.items() if name.startswith("output"))

    def prove(self, draw: Draw, nonces: tuple[int, ...]) -> tuple[float, float]:
        """Have the unmodified module make calls on variations of `draw`.

        Returns:
            How long the calls took, and how long everything beside them, in ms: on a CPU, shares of the processor time.
            A call's share is that of the time which passed, or what its threads worked, where that is less: threads
            that wait for each other on a busy machine make calls longer than what goes on beside them.

        Raises:
            JudgeError: It cannot be called.
        """
        if self._warm != draw:
            self._ask(protocol.WarmUp(draw=draw, seconds=0.0), protocol.WarmedUp)
            self._warm = draw
        proved, _ = self._ask(protocol.Prove(nonces=nonces), protocol.Proved)
        if self.loaded.device != "cpu":
            return proved.call_ms, self._arm.wall_s * 1e3 - proved.call_ms
        spent_ms = self._arm.worked_s * 1e3
        same_ms = spent_ms * proved.call_ms / (self._arm.wall_s * 1e3)
        return same_ms, spent_ms - min(same_ms, proved.processor_ms)

    def reveal(self, calls: tuple[int, ...]) -> dict[str, Tensor]:
        """The unmodified module's outputs of some of the calls of the last `prove`.

        Raises:
            JudgeError: It does not answer.
        """
        return self._ask(protocol.Reveal(calls=calls), protocol.Number)[1]

    def stand_in(self, draw: Draw, precision: str | None, name: str, eager: Tensor) -> Yardstick | None:
        """What the output `name` for a variation of `draw` is held against without asking the oracle again.

        Both the unmodified module's values, `eager`, and a right variant's may be off the truth, so that the errors
        count twice. None for what cannot be compared so: integers may differ by a rounding, and there may be no oracle.
        """
        known = self.expected(draw, precision).yardsticks.get(name)
        if known is None or not eager.is_floating_point():
            return None
        return replace(known, oracle=eager, eager=eager, error=2 * known.error, rms_error=2 * known.rms_error)

    def profile(self) -> Profiled:
        """The unmodified module's own profile.

        Raises:
            JudgeError: It cannot be profiled.
        """
        if self._profile is None:
            self._profile, _ = self._ask(protocol.Profile(calls=1), Profiled)
        return self._profile

    def number(self, request: protocol.Bandwidth | protocol.PeakRate | protocol.TouchedBytes, *, again: bool) -> float:
        """The answer to a question of one number; what is measured depends on what else the machine does.

        Args:
            again: Whether to measure once more; the greatest of all answers counts.

        Raises:
            JudgeError: There is none.
        """
        if again or request not in self._numbers:
            value = self._ask(request, protocol.Number)[0].value or 0.0
            self._numbers[request] = max(value, self._numbers.get(request, 0.0))
        return self._numbers[request]

    def trivial_answer(self, draw: Draw, other: Draw) -> str | None:
        """What would pass on `draw` without computing anything, or None: then the case is degenerate.

        Args:
            other: A draw of other inputs, whose output must not pass for that of `draw`.

        Raises:
            JudgeError: The unmodified module cannot be called.
        """
        expected, elsewhere = self.expected(draw), self.expected(other)
        if expected.facts.oracle_failure:
            return None
        outputs = {name: each for name, each in expected.yardsticks.items() if name.startswith("output")}
        others = {name: each.eager for name, each in elsewhere.yardsticks.items() if name in outputs}
        answers = {
            "zeros": {name: torch.zeros_like(value) for name, value in others.items()},
            "a constant": {name: _constant(value) for name, value in others.items()},
            "an output that does not depend on the inputs": others,
        }
        for answer, values in answers.items():
            if all(self._passes(values.get(name), each) for name, each in outputs.items()):
                return answer
        given = self._ask(protocol.Provide(draw=draw), protocol.Number)[1].values()
        if all(any(self._passes(tensor, each) for tensor in given) for each in outputs.values()):
            return "the input itself"
        return None

    def _ask(self, request: BaseModel, reply: type[ReplyT]) -> tuple[ReplyT, dict[str, Tensor]]:
        try:
            return self._arm.ask(request, reply, timeout=self._timeout)
        except ArmError as error:
            raise _judge_error(error) from error

    def _passes(self, values: Tensor | None, yardstick: Yardstick) -> bool:
        if values is None or (values.shape, values.dtype) != (yardstick.eager.shape, yardstick.eager.dtype):
            return False
        return complaint(values, yardstick, self.loaded.tolerance) is None

    def _yardsticks(
        self, facts: Expectation, tensors: dict[str, Tensor], precision: str | None
    ) -> dict[str, Yardstick]:
        types = {f"output {index}": leaf.type for index, leaf in enumerate(facts.leaves)}
        yardsticks = {}
        for name, oracle in _named(tensors, "oracle").items():
            eager = tensors[f"eager {name}"]
            measured = tensors.get(f"yardstick {name}", eager)
            error, rms_error = (each * facts.yardstick_scale for each in errors(measured, oracle))
            scale = rms(oracle)
            worst = facts.calibration.get(name, 0.0) * scale * facts.yardstick_scale
            dtypes = [self.loaded.dtype if types.get(name) == "float" else eager.dtype, precision]
            yardsticks[name] = Yardstick(
                oracle, eager, max(error, worst), max(rms_error, worst), scale, max(_eps(dtype) for dtype in dtypes)
            )
        return yardsticks


def _judge_error(error: ArmError) -> JudgeError:
    return JudgeError(
        f"the unmodified module fails: {error.what}", why=error.why, remedy=error.remedy, raised=error.raised
    )


def _named(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(f"{prefix} "): tensor for name, tensor in tensors.items() if name.startswith(f"{prefix} ")
    }


def _constant(values: Tensor) -> Tensor:
    """A tensor like `values` that holds their mean everywhere (the most frequent one of integers)."""
    if values.numel() == 0:
        return values
    if values.is_floating_point():
        finite = values[values.isfinite()].double()
        return torch.full_like(values, float(finite.mean()) if finite.numel() else torch.nan)
    return torch.full_like(values, values.flatten().mode().values.item())


def _eps(dtype: torch.dtype | str | None) -> float:
    resolved = getattr(torch, dtype) if isinstance(dtype, str) else dtype
    return torch.finfo(resolved).eps if resolved is not None and resolved.is_floating_point else 0.0
