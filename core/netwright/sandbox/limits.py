"""The limits of a caged program."""

import resource

from pydantic import Field

from netwright.config import Config

MIB = 2**20
ADDRESS_ROOM = 32 * 2**30
"""Address space beyond the memory limit: libraries and reserved ranges take some without using memory."""
CPU_GRACE_S = 5
"""Between the signal that says CPU time is over and the one that cannot be ignored."""


class Limits(Config):
    """How much a program and everything that it starts may use; null for no limit."""

    wall_s: float | None = Field(default=300.0, gt=0)
    """Seconds from start to end."""
    cpu_s: float | None = Field(default=None, ge=0.1)
    """Seconds of CPU time, all processes together."""
    memory_mib: int | None = Field(default=8192, ge=16)
    """Memory in MiB: what each process may allocate, and what all of them together may hold."""
    file_mib: int | None = Field(default=1024, ge=1)
    """Size of the largest file that it writes, in MiB."""
    output_mib: float | None = Field(default=16, gt=0)
    """What it prints, in MiB."""
    processes: int | None = Field(default=64, ge=1)
    """Processes at a time."""
    threads: int | None = Field(default=4096, ge=1)
    """Threads at a time, all processes together."""
    open_files: int = Field(default=1024, ge=16)
    """Open files per process."""

    def rlimits(self, *, cuda: bool) -> list[tuple[int, int, int]]:
        """What the kernel itself holds each process to: resource, soft limit, hard limit.

        Args:
            cuda: Leave memory to the watch over resident memory, for CUDA maps far more addresses than it uses.
        """
        found = [
            (resource.RLIMIT_CORE, 0, 0),
            (resource.RLIMIT_NOFILE, self.open_files, self.open_files),
        ]
        if self.cpu_s is not None:
            seconds = int(-(-self.cpu_s // 1))
            found.append((resource.RLIMIT_CPU, seconds, seconds + CPU_GRACE_S))
        if self.memory_mib is not None and not cuda:
            memory = self.memory_mib * MIB
            found += [
                (resource.RLIMIT_DATA, memory, memory),
                (resource.RLIMIT_AS, memory + ADDRESS_ROOM, memory + ADDRESS_ROOM),
            ]
        if self.file_mib is not None:
            found.append((resource.RLIMIT_FSIZE, self.file_mib * MIB, self.file_mib * MIB))
        return found
