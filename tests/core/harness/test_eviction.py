"""Tests of emptying caches."""

from pathlib import Path

import pytest
import torch

from netwright.harness import eviction
from netwright.harness.eviction import ASSUMED_BYTES, Eviction, last_cache_bytes

CPU = torch.device("cpu")


def test_the_largest_cache_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index, size in enumerate(["32K", "1024K", "32768K"]):
        (tmp_path / f"index{index}").mkdir()
        (tmp_path / f"index{index}" / "size").write_text(f"{size}\n")
    monkeypatch.setattr(eviction, "CACHE_FOLDER", tmp_path)
    assert last_cache_bytes(CPU) == 32 << 20


def test_a_system_that_does_not_tell_gets_a_large_buffer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eviction, "CACHE_FOLDER", tmp_path)
    assert last_cache_bytes(CPU) == ASSUMED_BYTES


def test_evicting_touches_more_than_the_cache_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eviction, "last_cache_bytes", lambda _: 1 << 20)
    evict = Eviction(CPU)
    evict()
    assert evict._buffer.nbytes == 2 << 20
    assert bool((evict._buffer == 1).all())
