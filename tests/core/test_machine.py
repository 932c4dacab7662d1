"""What the machine offers, from the files and commands in which systems say it."""

import os
import stat
from pathlib import Path

import pytest

from netwright import machine
from netwright.machine import find_gpus, processor_name, usable_cores, usable_memory


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An imitation of /proc and /sys/fs/cgroup, with this process in the group /outer/inner."""
    monkeypatch.setattr(machine, "PROC", tmp_path / "proc")
    monkeypatch.setattr(machine, "CGROUPS", tmp_path / "cgroup")
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text("0::/outer/inner\n")
    (tmp_path / "cgroup" / "outer" / "inner").mkdir(parents=True)
    return tmp_path


def install_nvidia_smi(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command = folder / "nvidia-smi"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


def test_the_processor_has_a_name(system: Path) -> None:
    (system / "proc" / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Abacus 9000 : turbo\n")
    assert processor_name() == "Abacus 9000 : turbo"


def test_a_processor_without_entry_is_called_by_its_architecture(system: Path) -> None:
    assert processor_name()


def test_cores_are_those_of_the_affinity() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(("group", "quota"), [("outer", "50000 100000"), ("outer/inner", "100000 100000")])
def test_a_quota_anywhere_above_limits_the_cores(system: Path, group: str, quota: str) -> None:
    (system / "cgroup" / "outer" / "inner" / "cpu.max").write_text("max 100000\n")
    (system / "cgroup" / group / "cpu.max").write_text(quota)
    assert usable_cores() == 1


def test_no_quota_is_no_limit(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    (system / "cgroup" / "outer" / "inner" / "cpu.max").write_text("max 100000\n")
    assert usable_cores() == 8


def test_a_limit_anywhere_above_limits_the_memory(system: Path) -> None:
    assert usable_memory() > 2**20
    (system / "cgroup" / "outer" / "memory.max").write_text("1048576\n")
    (system / "cgroup" / "outer" / "inner" / "memory.max").write_text("max\n")
    assert usable_memory() == 2**20


def test_the_driver_names_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = "NVIDIA X, Large, 81559, 9.0, 555.42\nNVIDIA Y, [N/A], 8.0, 555.42"
    install_nvidia_smi(tmp_path, f"echo '{answer}'", monkeypatch)
    first, second = find_gpus()
    assert (first.name, first.memory_bytes, first.compute_capability) == ("NVIDIA X, Large", 81559 * 2**20, "9.0")
    assert (second.name, second.memory_bytes, second.driver) == ("NVIDIA Y", None, "555.42")


def test_a_driver_that_fails_offers_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_nvidia_smi(tmp_path, "exit 9", monkeypatch)
    assert find_gpus() == []


def test_without_driver_there_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_gpus() == []


def test_torch_and_the_driver_count_alike() -> None:
    torch = pytest.importorskip("torch")
    assert len(find_gpus(ask_torch=True)) == (torch.cuda.device_count() if torch.cuda.is_available() else 0)
