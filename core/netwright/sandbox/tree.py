"""The process tree below this process, as /proc shows it."""

# The watch runs beside timed work, and these functions take a fraction of pathlib's time.
# ruff: noqa: PTH110, PTH208

import os
import resource
import signal
import time
from contextlib import suppress

SWEEP_PAUSE_S = 0.001


class Tree:
    """The processes below this one, which must be a reaper of orphans for none to get away.

    Attributes:
        memory, processes, threads, cpu_s: What all of them used at the last look; memory without what files back.
        peak_memory: The most bytes of memory that all of them had at a look.
        most_processes: The most of them at a look.
        ended: The wait status of each that ended.
    """

    def __init__(self) -> None:
        self.memory = self.processes = self.threads = 0
        self.cpu_s = 0.0
        self.peak_memory = 0
        self.most_processes = 0
        self.ended: dict[int, int] = {}
        self._lists_children = os.path.exists(f"/proc/self/task/{os.getpid()}/children")
        self._tick_s = 1 / os.sysconf("SC_CLK_TCK")

    def pids(self) -> list[int]:
        """All of them, parents before their children."""
        everywhere = {} if self._lists_children else _children_everywhere()
        found = [os.getpid()]
        for pid in found:
            found += _children_of(pid) if self._lists_children else everywhere.get(pid, [])
        return found[1:]

    def look(self, *, cpu: bool) -> None:
        """Count them, and add up what they use."""
        self.memory = self.processes = self.threads = 0
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cpu_s = used.ru_utime + used.ru_stime
        for pid in self.pids():
            facts = _threads_and_memory(pid)
            if facts is None:
                continue
            self.processes += 1
            self.threads += facts[0]
            self.memory += facts[1]
            if cpu:
                self.cpu_s += self._cpu_of(pid)
        self.peak_memory = max(self.peak_memory, self.memory)
        self.most_processes = max(self.most_processes, self.processes)

    def reap(self) -> bool:
        """Take leave of those that ended; whether any is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            self.ended[pid] = status

    def end(self) -> None:
        """Kill them all, and all that they start meanwhile, until none is left."""
        while self.reap():
            for pid in self.pids():
                with suppress(OSError):  # it has ended
                    os.kill(pid, signal.SIGKILL)
            time.sleep(SWEEP_PAUSE_S)

    def _cpu_of(self, pid: int) -> float:
        try:
            fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        except OSError:
            return 0.0
        return sum(map(int, fields[11:15])) * self._tick_s


def _threads_and_memory(pid: int) -> tuple[int, int] | None:
    """A process's threads and its resident bytes but for those that files back; None for one that has ended."""
    threads = kilobytes = 0
    try:
        lines = _read(f"/proc/{pid}/status").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith((b"RssAnon:", b"RssShmem:")):
            kilobytes += int(line.split()[1])
        elif line.startswith(b"Threads:"):
            threads = int(line.split()[1])
        elif line.startswith(b"State:") and line.split()[1] in b"ZX":
            return None
    return threads, kilobytes * 1024


def _children_of(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):  # it has ended
        for task in os.listdir(f"/proc/{pid}/task"):
            found += map(int, _read(f"/proc/{pid}/task/{task}/children").split())
    return found


def _children_everywhere() -> dict[int, list[int]]:
    """The children of every process, from a look at all of them: for kernels that do not list children."""
    children: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            parent = int(_read(f"/proc/{name}/stat").rpartition(b")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(name))
    return children


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = b""
        while chunk := os.read(descriptor, 1 << 16):
            text += chunk
        return text
    finally:
        os.close(descriptor)
