"""What the machine underneath offers to this process: processor, cores, memory and GPUs."""

import math
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from netwright.result import Record

CGROUPS = Path("/sys/fs/cgroup")
PROC = Path("/proc")


class Gpu(Record):
    """One GPU."""

    name: str
    memory_bytes: int | None
    compute_capability: str | None = None
    driver: str | None = None


def processor_name() -> str:
    """The processor's model as the system calls it."""
    for line in _lines(PROC / "cpuinfo"):
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """The cores that this process may use: its affinity, or its control group's quota (version 2) when that is less."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for limit in _control_group_limits("cpu.max"):
        quota, _, period = limit.partition(" ")
        if quota != "max":
            cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(1, cores)


def usable_memory() -> int:
    """Bytes of memory that this process may use: all, or its control group's limit (version 2) when that is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [int(limit) for limit in _control_group_limits("memory.max") if limit != "max"]
    return min([total, *limits])


def find_gpus(*, ask_torch: bool = False) -> list[Gpu]:
    """The GPUs of this machine.

    Args:
        ask_torch: Let torch say, which starts CUDA in this process; otherwise torch is asked only where CUDA runs
            already, and the driver's own command where it does not.
    """
    torch = sys.modules.get("torch")
    if ask_torch or (torch is not None and torch.cuda.is_initialized()):
        return list(_gpus_of_torch())
    return list(_gpus_of_driver())


def _gpus_of_torch() -> Iterator[Gpu]:
    import torch

    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        facts = torch.cuda.get_device_properties(index)
        yield Gpu(name=facts.name, memory_bytes=facts.total_memory, compute_capability=f"{facts.major}.{facts.minor}")


def _gpus_of_driver() -> Iterator[Gpu]:
    command = shutil.which("nvidia-smi")
    if command is None:
        return
    query = [command, "--query-gpu=name,memory.total,compute_cap,driver_version", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return  # a driver that does not answer offers no GPU
    for line in answer.splitlines():
        name, memory, capability, driver = (part.strip() for part in line.rsplit(",", 3))
        size = int(memory) * 2**20 if memory.isdigit() else None
        yield Gpu(name=name, memory_bytes=size, compute_capability=capability, driver=driver)


def _control_group_limits(file: str) -> Iterator[str]:
    """The values of a limit in this process's control group and in all groups above it."""
    for line in _lines(PROC / "self" / "cgroup"):
        if line.startswith("0::"):
            group = CGROUPS / line.removeprefix("0::").strip().lstrip("/")
            for folder in (group, *group.parents):
                if folder.is_relative_to(CGROUPS):
                    yield from _lines(folder / file)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
