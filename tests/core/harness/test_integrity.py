"""Tests of noticing what was changed in the code that a worker relies on."""

import builtins
import sys
import time
from collections.abc import Callable

import pytest
import torch
from torch.overrides import TorchFunctionMode

from netwright.harness import sampler
from netwright.harness.integrity import Integrity, out_of_reach


def quiet_tensor(self: torch.Tensor) -> torch.Tensor:
    return self


def other_code() -> None:
    return None


def test_nothing_changes_by_itself() -> None:
    integrity = out_of_reach()
    integrity.remember()
    torch.nn.Linear(2, 2)(torch.zeros(1, 2)).sum().backward()
    assert integrity.broken() is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda patch: patch.setattr(time, "perf_counter", other_code), "time.perf_counter"),
        (lambda patch: patch.setattr(torch, "mm", other_code), "torch.mm"),
        (lambda patch: patch.setattr(torch.Tensor, "clone", quiet_tensor, raising=False), "torch.Tensor.clone"),
        (
            lambda patch: patch.setattr(torch.nn.Module, "__call__", other_code),
            "torch.nn.modules.module.Module.__call__",
        ),
        (lambda patch: patch.setattr(builtins, "min", other_code), "builtins.min"),
        (lambda patch: patch.setattr(sampler.Sampler, "time", other_code), "netwright.harness.sampler.Sampler.time"),
        (lambda patch: patch.setattr(sampler, "len", other_code, raising=False), "netwright.harness.sampler.len"),
        (lambda patch: patch.setattr(sampler.Sampler.time, "__code__", other_code.__code__), "Sampler.time"),
        (lambda patch: patch.setattr(sys, "gettrace", lambda: other_code), "the trace function"),
    ],
)
def test_a_change_is_named(
    change: Callable[[pytest.MonkeyPatch], None], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    integrity = out_of_reach()
    integrity.remember()
    with monkeypatch.context() as patch:
        change(patch)
        broken = integrity.broken()
    assert broken is not None
    assert broken.endswith(named)
    assert integrity.broken() is None


def test_a_mode_left_active_is_seen() -> None:
    integrity = out_of_reach()
    integrity.remember()
    with TorchFunctionMode():  # type: ignore[no-untyped-call]
        assert integrity.broken() == "torch's function mode"
    assert integrity.broken() is None


def test_replacing_the_guard_itself_does_not_help(monkeypatch: pytest.MonkeyPatch) -> None:
    integrity = out_of_reach()
    integrity.remember()
    monkeypatch.setattr(Integrity, "broken", other_code)
    assert integrity.broken() == "netwright.harness.integrity.Integrity.broken"
