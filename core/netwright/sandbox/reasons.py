"""Why a caged program ended as it did."""

import re
import signal
from typing import Literal

from netwright.sandbox.child import Ended
from netwright.sandbox.limits import Limits

Reason = Literal["ok", "failed", "denied", "timeout", "memory", "file_size", "output_limit", "killed"]

LAST_WORDS = 2000
"""Characters at the end of the output in which a program says why it failed."""
COMPLAINTS: tuple[tuple[Reason, str, re.Pattern[str]], ...] = (
    (
        "memory",
        "it was refused memory",
        re.compile(r"MemoryError|bad_alloc|[Cc]annot allocate memory|[Oo]ut of memory|can't allocate memory"),
    ),
    ("file_size", "it was refused a larger file", re.compile(r"File too large|File size limit exceeded")),
    (
        "denied",
        "it was refused what it asked for",
        re.compile(
            r"PermissionError|Permission denied|Operation not permitted|Read-only file system|Device or resource busy"
            r"|Network is unreachable|Connection refused|No such process|ProcessLookupError|name resolution"
        ),
    ),
)


def explain(ended: Ended, limits: Limits, output: str, *, full: bool) -> tuple[Reason, str]:
    """The reason and what it means here.

    A limit that the supervisor or the kernel enforced is known for certain. A program that was refused something
    usually says so in its last words and fails: that is what `denied` and some of `memory` and `file_size` rest on.

    Args:
        output: The end of what the program printed.
        full: Whether it printed as much as it may.
    """
    if full:
        return "output_limit", f"it printed {limits.output_mib:g} MiB"
    stopped: dict[str, tuple[Reason, str]] = {
        "wall": ("timeout", f"it ran for more than {limits.wall_s or 0:g} s"),
        "cpu": ("timeout", _cpu(limits)),
        "memory": ("memory", f"it held more than {limits.memory_mib} MiB"),
        "processes": ("killed", f"it had more than {limits.processes} processes"),
        "threads": ("killed", f"it had more than {limits.threads} threads"),
        "killed": ("killed", "it was stopped from outside"),
    }
    if ended.stopped is not None:
        return stopped[ended.stopped]
    if ended.exit_code == 0:
        return "ok", ""
    by_signal = _signal_name(-ended.exit_code) if ended.exit_code < 0 else ""
    if by_signal == "SIGXCPU":
        return "timeout", _cpu(limits)
    if by_signal == "SIGXFSZ":
        return "file_size", f"it wrote a file of more than {limits.file_mib} MiB"
    for reason, detail, complaint in COMPLAINTS:
        if complaint.search(output[-LAST_WORDS:]):
            return reason, detail
    if by_signal:
        return "killed", f"it ended by {by_signal}"
    return "failed", f"it ended with {ended.exit_code}"


def _cpu(limits: Limits) -> str:
    return f"it used more than {limits.cpu_s or 0:g} s of CPU time"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
