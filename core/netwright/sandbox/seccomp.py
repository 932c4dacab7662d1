"""Seccomp: a filter that leaves a program no sockets but Unix ones, for levels without a network namespace.

The filter is a classic BPF program over `struct seccomp_data`: the call's number, the architecture, the arguments
(Documentation/userspace-api/seccomp_filter.rst of the Linux kernel). Calls of another architecture's table are refused
as a whole, and so is io_uring, which opens sockets without the call that is looked at.
"""

import platform
import struct
import sys
from pathlib import Path

ACTIONS = Path("/proc/sys/kernel/seccomp/actions_avail")
SOCKET_CALLS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""Per machine, the architecture's number and that of `socket`."""
IO_URING_SETUP = 425
X32_CALLS = 0x40000000
"""On x86-64, the calls of the x32 table begin here; other tables end well below."""
AF_UNIX = 1
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
LOAD, JUMP_EQUAL, JUMP_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | 13
"""The second one: fail with EACCES."""


def filters_sockets() -> bool:
    """Whether this machine has such a filter."""
    return sys.platform == "linux" and platform.machine() in SOCKET_CALLS and ACTIONS.exists()


def pack_filter() -> bytes:
    """The filter's instructions, packed; empty where there is none."""
    if not filters_sockets():
        return b""
    architecture, socket_call = SOCKET_CALLS[platform.machine()]
    instructions = (
        (LOAD, 0, 0, ARCHITECTURE),
        (JUMP_EQUAL, 0, 7, architecture),  # jumps count from the next instruction
        (LOAD, 0, 0, NUMBER),
        (JUMP_AT_LEAST, 5, 0, X32_CALLS),
        (JUMP_EQUAL, 4, 0, IO_URING_SETUP),
        (JUMP_EQUAL, 0, 2, socket_call),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (JUMP_EQUAL, 0, 1, AF_UNIX),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, REFUSE),
    )
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
