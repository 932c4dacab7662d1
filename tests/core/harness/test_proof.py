"""Tests of looking at calls from outside: what they return, how long they take, and how busy they keep the machine."""

import time

import pytest
import torch
from torch import Tensor

from netwright.cases import Tolerance
from netwright.harness import Variant, protocol
from netwright.harness.compare import Yardstick
from netwright.harness.examination import Examination
from netwright.harness.load import LEAST_SECONDS, Load
from netwright.harness.observe import digest
from netwright.harness.proof import check_proof
from netwright.harness.protocol import Draw, Loaded


class FakeJudge:
    """A judge whose own worker spends 100 ms beside its calls, and every output of which is 1.0."""

    output_bytes = 4
    loaded = Loaded(
        seconds=0.0,
        settings={"threads": "1"},
        device="cpu",
        dtype="float32",
        batch_size=1,
        input_bytes=0,
        floating_inputs=True,
        tolerance=Tolerance(factor=4),
    )

    def __init__(self, call_ms: float = 1.0) -> None:
        self._call_ms = call_ms
        self.arm = FakeArm()
        self.proofs = 0

    def prove(self, _: Draw, nonces: tuple[int, ...]) -> tuple[float, float]:
        self.proofs += 1
        return self._call_ms * len(nonces), 100.0

    def reveal(self, calls: tuple[int, ...]) -> dict[str, Tensor]:
        return {f"{number}/output 0": torch.ones(2) for number in calls}

    def stand_in(self, _: Draw, __: str | None, ___: str, eager: Tensor) -> Yardstick:
        return Yardstick(eager, eager, error=0.1, rms_error=0.1, scale=1.0, eps=1e-7)


class FakeArm:
    """An arm whose proof takes so many seconds by the judge's clock, and whose outputs are off by so much.

    Args:
        counted: How many of the milliseconds beyond 100 its own clock counts, as a fraction.
    """

    variant = Variant(label="fake")

    def __init__(self, wall_s: float = 0.0, off: float = 0.0, shown: float = 0.0, counted: float = 1.0) -> None:
        self._call_ms = counted * (wall_s * 1e3 - 100.0)
        self.worked_s, self.output, self.shown = wall_s, torch.ones(2) + off, torch.ones(2) + off + shown

    def processor_seconds(self) -> None:
        return None

    def ask(self, request: protocol.Prove | protocol.Reveal, *_: object, **__: object) -> tuple[object, object]:
        if isinstance(request, protocol.Reveal):
            return protocol.Number(value=0.0), {f"{number}/output 0": self.shown for number in request.calls}
        digests = {f"{number}/output 0": digest(self.output) for number in range(len(request.nonces))}
        return protocol.Proved(call_ms=self._call_ms, processor_ms=self._call_ms, digests=digests), {}


@pytest.mark.parametrize(
    ("arm", "failed"),
    [
        (FakeArm(0.25), []),
        (FakeArm(0.26, off=0.3), []),  # 120 calls of 1 ms, 100 ms beside them; 4 times the error of eager is allowed
        (FakeArm(0.30), ["timer"]),
        (FakeArm(0.25, counted=0.8), []),
        (
            FakeArm(0.25, counted=0.45),
            ["timer"],
        ),  # its clock is slow, whatever the rounds said
        (FakeArm(0.25, off=0.5), ["timed output"]),
        (FakeArm(0.25, off=0.1, shown=0.1), ["timed output"]),  # it commits to other outputs than it shows
    ],
)
def test_calls_are_looked_at_from_outside(arm: FakeArm, failed: list[str]) -> None:
    examination = Examination("fake")
    check_proof(examination, FakeJudge(), arm, Draw(), 1.0, 1.0, timeout=1)  # type: ignore[arg-type]
    assert [result.name for result in examination.failed] == failed


def test_a_machine_that_has_become_slower_is_not_held_against_a_variant() -> None:
    examination, judge, arm = Examination("fake"), FakeJudge(call_ms=1.5), FakeArm(0.32)
    check_proof(examination, judge, arm, Draw(), 1.0, 1.0, timeout=1)  # type: ignore[arg-type]
    assert not examination.failed


@pytest.mark.parametrize(("call_ms", "asked", "made"), [(1.0, 3, 3), (1.0, 1, 1), (40.0, 3, 1)])
def test_proofs_that_take_the_unmodified_module_long_are_made_once(call_ms: float, asked: int, made: int) -> None:
    examination, judge, arm = Examination("fake"), FakeJudge(call_ms), FakeArm(0.25)
    check_proof(examination, judge, arm, Draw(), 1.0, call_ms, proofs=asked, timeout=1)  # type: ignore[arg-type]
    assert not examination.failed
    assert judge.proofs == made


class BusyArm:
    """An arm whose processes use so many processors."""

    def __init__(self, processors: float) -> None:
        self._processors = processors

    def processor_seconds(self) -> float:
        return time.perf_counter() * self._processors


@pytest.mark.parametrize(
    ("busy", "idle", "problem"),
    [
        (1.0, 0.0, None),
        (2.2, 0.0, "it keeps 2.2 processors busy, and 1 threads were asked for"),
        (1.0, 0.9, "it keeps 0.9 processors busy while nothing is asked of it"),
    ],
)
def test_a_worker_keeps_as_many_processors_busy_as_it_should(
    busy: float, idle: float, problem: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    load = Load(BusyArm(0.0), BusyArm(1.0))  # type: ignore[arg-type]
    load.busy, load.idle = [9.0, busy], [9.0, idle]
    assert load.complaint(threads=1) == problem


def test_what_is_too_short_to_tell_does_not_count() -> None:
    load = Load(BusyArm(1.5), BusyArm(1.0))  # type: ignore[arg-type]
    with load.while_idle():
        pass
    assert load.idle == []
    with load.while_busy():
        spend(LEAST_SECONDS)
    assert load.busy == [pytest.approx(1.5, rel=0.1)]


@pytest.mark.parametrize(("had", "share"), [(1.0, 0.4), (2.0, 0.4), (0.5, 0.8)])
def test_on_a_busy_machine_a_worker_at_rest_is_held_against_what_the_other_gets(had: float, share: float) -> None:
    load = Load(BusyArm(0.4), BusyArm(had))  # type: ignore[arg-type]
    with load.while_idle():
        spend(LEAST_SECONDS)
    assert load.idle == [pytest.approx(share, rel=0.1)]


def spend(seconds: float) -> None:
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        pass
