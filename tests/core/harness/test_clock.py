"""Tests of the worker's clock."""

import gc
import time

import pytest
import torch

from netwright.harness.clock import Clock


def test_it_counts_calls_and_hands_back_the_last_output() -> None:
    calls: list[int] = []

    def call() -> int:
        calls.append(1)
        return len(calls)

    milliseconds, output = Clock().time(call, 5)
    assert output == 5
    assert milliseconds > 0


def test_patching_the_timers_of_the_process_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    clock.bind(torch.device("cpu"))
    for name in ("perf_counter", "perf_counter_ns", "monotonic", "time", "time_ns", "process_time"):
        monkeypatch.setattr(time, name, lambda: 0)
    milliseconds, _ = clock.time(lambda: sum(range(10_000)))
    assert milliseconds > 0
    assert clock.seconds() > 0


def test_the_garbage_collector_rests_during_a_call_and_goes_on_after_it() -> None:
    clock = Clock()
    _, enabled = clock.time(gc.isenabled)
    assert enabled is False
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        clock.time(lambda: 1 // 0)
    assert gc.isenabled()
