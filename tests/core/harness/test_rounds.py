"""Tests of timing variants in rounds."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import cast

import pytest
from pydantic import BaseModel
from torch import Tensor

from netwright.cases import CaseOptions
from netwright.harness import EAGER, Timing, TimingConfig, Variant, measure, protocol, speedup
from netwright.harness.arms import Arm
from netwright.harness.protocol import Draw
from netwright.harness.rounds import open_arms, time_arms

CaseName = Callable[[str], str]
MakeVariant = Callable[[str, str], Variant]
InThreads = Callable[[], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def timings(
    case_name: CaseName, local_variant: MakeVariant, quick: TimingConfig, in_threads: InThreads
) -> dict[str, Timing]:
    names = ("reassociated", "does_not_load", "raises")
    variants = [local_variant("honest.py" if name == "reassociated" else "cheats.py", name) for name in names]
    with in_threads():
        return measure(case_name("Perceptron"), CaseOptions(), [EAGER, *variants], quick)


def test_arms_are_timed_side_by_side(timings: dict[str, Timing]) -> None:
    assert list(timings) == ["eager", "reassociated", "does_not_load", "raises"]
    eager, other = timings["eager"], timings["reassociated"]
    assert 2 <= len(eager.times_ms) == len(other.times_ms) <= 3
    for timing in (eager, other):
        assert timing.median_ms is not None
        assert timing.ci_ms is not None
        assert min(timing.times_ms) <= timing.ci_ms[0] <= timing.median_ms <= timing.ci_ms[1] <= max(timing.times_ms)
        assert timing.calls >= len(timing.times_ms)
        assert (timing.cache, timing.threads, timing.batch_size) == ("cold", 1, 8)
        assert timing.precision["float32_matmul_precision"] == "highest"
        assert timing.peak_memory_bytes is not None
        assert timing.first_call_s is not None
        assert timing.throughput == pytest.approx(8e3 / timing.median_ms)
    ratio = speedup(eager, other)
    assert ratio is not None
    assert ratio.low <= ratio.value <= ratio.high


def test_an_arm_that_fails_says_why_and_stops_no_other(timings: dict[str, Timing]) -> None:
    assert timings["does_not_load"].not_measured == "RuntimeError: cannot be built"
    assert timings["raises"].not_measured == "ValueError: no thank you"
    assert timings["does_not_load"].median_ms is None
    assert speedup(timings["eager"], timings["raises"]) is None


@pytest.mark.slow
def test_processes_under_other_settings_or_gone_are_not_compared(
    case_name: CaseName, local_variant: MakeVariant, quick: TimingConfig
) -> None:
    variants = [local_variant("cheats.py", "other_settings"), local_variant("hostile.py", "crashes")]
    timings = measure(case_name("Perceptron"), CaseOptions(), [EAGER, *variants], quick)
    assert timings["eager"].not_measured is None
    assert timings["other_settings"].not_measured == (
        "it ran with float32_matmul_precision medium, the others with highest"
    )
    assert "killed by SIGABRT" in str(timings["crashes"].not_measured)


class SteadyArm:
    """Stands in for a worker: each turn takes a second, and tells times that lie so far apart, by turns."""

    first_call_s, wall_s = 0.1, 1.0

    def __init__(self, label: str, spread: float) -> None:
        self.label, self._spread, self._turns = label, spread, 0

    def ready(self) -> protocol.Loaded:
        settings = {"threads": "1"}
        facts = {"device": "cpu", "dtype": "float32", "batch_size": 1, "input_bytes": 4, "floating_inputs": True}
        return protocol.Loaded.model_validate({"seconds": 0.1, "settings": settings, "tolerance": {}, **facts})

    def note_first_call(self, seconds: float) -> None:
        assert seconds == 0.1

    def ask(self, request: BaseModel, _: type[BaseModel], timeout: float) -> tuple[BaseModel, dict[str, Tensor]]:
        assert timeout > 0
        if isinstance(request, protocol.WarmUp):
            return protocol.WarmedUp(first_call_s=0.1, call_ms=1.0, eviction_ms=0.0), {}
        if isinstance(request, protocol.Memory):
            return protocol.Number(value=None, not_measured="there is none"), {}
        self._turns += 1
        return protocol.Times(times_ms=(1 + self._turns % 3 * self._spread,), batch=1, settings={"threads": "1"}), {}


@pytest.mark.parametrize(("spread", "margin", "rounds"), [(0.001, 0.01, 20), (0.2, 0.01, 40), (0.001, 0.0, 40)])
def test_timing_ends_early_where_medians_are_settled(spread: float, margin: float, rounds: int) -> None:
    arms = cast("list[Arm]", [SteadyArm("steady", 0.0), SteadyArm("other", spread)])
    config = TimingConfig(max_seconds=40.0, margin=margin)
    timings = time_arms(arms, config, Draw(), seed=0)
    assert {len(timing.times_ms) for timing in timings.values()} == {rounds}


@pytest.mark.usefixtures("threaded_workers")
def test_short_calls_are_timed_several_at_a_time_when_warm(case_name: CaseName, quick: TimingConfig) -> None:
    warm = quick.model_copy(update={"cache": "warm"})
    timing = measure(case_name("Perceptron"), CaseOptions(), [EAGER], warm)["eager"]
    assert timing.cache == "warm"
    assert timing.calls > 10 * len(timing.times_ms)


@pytest.mark.usefixtures("threaded_workers")
def test_two_turns_of_every_arm_are_inspected(case_name: CaseName, quick: TimingConfig) -> None:
    seen: list[tuple[str, int]] = []

    def inspect(arm: Arm) -> None:
        recalled, _ = arm.ask(protocol.Recall(), protocol.Recalled, timeout=60)
        seen.append((arm.label, recalled.nonce))

    variants = [EAGER, Variant(label="other")]
    for cache in ("cold", "warm"):
        seen.clear()
        config = quick.model_copy(update={"cache": cache})
        with open_arms(case_name("Perceptron"), CaseOptions(), variants, config, seed=0) as arms:
            time_arms(arms, config, Draw(), seed=0, inspect=inspect)
        assert sorted(label for label, _ in seen) == ["eager", "eager", "other", "other"]
        assert all(nonce > 0 for _, nonce in seen)
