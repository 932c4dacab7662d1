"""Timers and their summary."""

import io

import pytest
from rich.console import Console

from netwright.errors import UserError
from netwright_pruning.utils import TimingProfiler
from netwright_pruning.utils import timing as module


class Clock:
    """A clock that goes on only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_timers_nest_and_the_bottleneck_is_by_own_time(clock: Clock) -> None:
    text = io.StringIO()
    profiler = TimingProfiler(Console(file=text, width=100))
    with profiler.timer("prune"):
        clock.now += 1.0
        with profiler.timer("trace"):
            clock.now += 4.0
    profiler.start_timer("training")
    clock.now += 3.0
    assert profiler.end_timer("training") == pytest.approx(3.0)
    summary = profiler.get_summary()
    assert summary["prune"]["total_seconds"] == pytest.approx(5.0)
    assert summary["prune"]["own_seconds"] == pytest.approx(1.0)
    assert summary["trace"]["share"] == pytest.approx(4 / 8)
    assert "bottleneck: trace, 50% of the time" in text.getvalue()
    assert list(summary) == ["trace", "training", "prune"]


def test_a_timer_ends_when_its_block_raises(clock: Clock) -> None:
    profiler = TimingProfiler()

    def fail() -> None:
        with profiler.timer("broken"):
            clock.now += 2.0
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert profiler.timings()[0].seconds == pytest.approx(2.0)


def test_misuse_is_said() -> None:
    profiler = TimingProfiler()
    profiler.start_timer("training")
    with pytest.raises(UserError, match="'training' is running"):
        profiler.start_timer("training")
    with pytest.raises(UserError, match="did you mean 'training'"):
        profiler.end_timer("trainings")
