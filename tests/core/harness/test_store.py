"""The store of tensors on disk."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from netwright.context import RunContext
from netwright.files import cache_folder
from netwright.harness import store
from netwright.harness.store import stored
from netwright.runfolder import read_json_lines

KEY = "0" * 64


@pytest.fixture
def calls() -> list[int]:
    return []


@pytest.fixture
def make(calls: list[int]) -> Callable[[], dict[str, Tensor]]:
    def make() -> dict[str, Tensor]:
        calls.append(1)
        return {"weight": torch.arange(12.0).view(3, 4), "half": torch.ones(3, dtype=torch.bfloat16)}

    return make


def entries() -> list[Path]:
    return sorted(cache_folder("tensors").glob("*"))


def warnings(run: RunContext) -> list[str]:
    assert run.folder is not None
    events = read_json_lines(run.folder.events_file)
    return [event["message"] for event in events if event["event"] == "warning"]


def test_a_value_is_made_once(run_context: RunContext, calls: list[int], make: Callable[[], dict[str, Tensor]]) -> None:
    first, second = stored(KEY, make), stored(KEY, make)
    assert len(calls) == 1
    assert list(first) == list(second) == ["weight", "half"]
    assert all(torch.equal(first[name], second[name]) for name in first)
    second["weight"].zero_()
    assert torch.equal(stored(KEY, make)["weight"], first["weight"])
    assert warnings(run_context) == []


@pytest.mark.parametrize("position", [0, 30, 70, 90, 150, -1])
def test_a_flipped_bit_is_noticed_and_put_right(
    run_context: RunContext, calls: list[int], make: Callable[[], dict[str, Tensor]], position: int
) -> None:
    stored(KEY, make)
    (file,) = entries()
    content = bytearray(file.read_bytes())
    sound = bytes(content)
    content[position] ^= 1
    file.write_bytes(content)
    assert torch.equal(stored(KEY, make)["weight"], torch.arange(12.0).view(3, 4))
    assert len(calls) == 2
    (message,) = warnings(run_context)
    assert str(file) in message
    assert "its checksum does not match" in message
    assert file.read_bytes() == sound


@pytest.mark.parametrize("length", [0, 10, 100])
def test_a_torn_entry_is_noticed(run_context: RunContext, make: Callable[[], dict[str, Tensor]], length: int) -> None:
    stored(KEY, make)
    (file,) = entries()
    file.write_bytes(file.read_bytes()[:length])
    assert torch.equal(stored(KEY, make)["half"], torch.ones(3, dtype=torch.bfloat16))
    assert len(warnings(run_context)) == 1


def test_what_cannot_be_stored_is_made_again(project: Path, calls: list[int]) -> None:
    def odd() -> list[object]:
        calls.append(1)
        return [object()]

    stored(KEY, odd)
    stored(KEY, odd)
    assert len(calls) == 2
    assert entries() == []


def test_what_is_too_large_is_made_again(
    project: Path, monkeypatch: pytest.MonkeyPatch, calls: list[int], make: Callable[[], dict[str, Tensor]]
) -> None:
    monkeypatch.setattr(store, "LARGEST_ENTRY", 12 * 4 + 3 * 2 - 1)
    stored(KEY, make)
    stored(KEY, make)
    assert len(calls) == 2
    monkeypatch.setattr(store, "LARGEST_ENTRY", 12 * 4 + 3 * 2)
    stored(KEY, make)
    stored(KEY, make)
    assert len(calls) == 3


def test_a_cache_that_cannot_be_written_is_said_and_done_without(
    run_context: RunContext, monkeypatch: pytest.MonkeyPatch, make: Callable[[], dict[str, Tensor]]
) -> None:
    blocked = Path("a file")
    blocked.write_text("")
    monkeypatch.setenv("NETWRIGHT_CACHE", str(blocked))
    assert torch.equal(stored(KEY, make)["half"], torch.ones(3, dtype=torch.bfloat16))
    assert len(warnings(run_context)) >= 1


def make_large() -> dict[str, Tensor]:
    return {"large": torch.ones(200_000)}


def store_often(times: int) -> bool:
    return all(
        torch.equal(store.stored(f"{number % 3}", make_large)["large"], torch.ones(200_000)) for number in range(times)
    )


def test_processes_may_share_it(run_context: RunContext) -> None:
    with multiprocessing.get_context("fork").Pool(3) as pool:
        assert pool.map(store_often, [6, 6, 6]) == [True, True, True]
    assert warnings(run_context) == []
    assert [file.name for file in entries()] == ["0.entry", "1.entry", "2.entry"]
