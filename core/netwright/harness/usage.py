"""The processor time of a worker, as the system counts it and nobody in the worker can change it."""

import os
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")


def processor_seconds(pid: int) -> float | None:
    """Processor time of a process and all below it that still run, in seconds; None where the system does not tell."""
    waiting, ticks = [pid], 0
    try:
        for each in waiting:
            folder = PROC / str(each)
            ticks += sum(map(int, (folder / "stat").read_bytes().rpartition(b")")[2].split()[11:13]))
            for task in (folder / "task").iterdir():
                with suppress(FileNotFoundError):  # a thread that ended meanwhile
                    waiting += map(int, (task / "children").read_bytes().split())
    except OSError:
        return None
    return ticks / os.sysconf("SC_CLK_TCK")
