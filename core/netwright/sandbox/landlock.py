"""Landlock: the permissions that the kernel holds a program to, in the form that its system calls take."""

import struct
from pathlib import Path

from netwright.sandbox.reach import Reach

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
TRUNCATE, IOCTL_DEV = 1 << 14, 1 << 15
RIGHTS_OF_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""All rights over files that a version of the interface knows of."""
FOR_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
READ = EXECUTE | READ_FILE | READ_DIR
TCP = 0b11
"""To bind and to connect."""
SCOPE_ABSTRACT_SOCKETS, SCOPE_SIGNALS = 1 << 0, 1 << 1
TCP_VERSION, SCOPE_VERSION = 4, 6
PLAIN_DEVICES = tuple(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty", "shm"))


def pack_ruleset(version: int, *, network: bool) -> bytes:
    """The attributes of the ruleset: all that a version of the interface can restrict, but for an allowed network."""
    attributes = [_all_rights(version)]
    if version >= TCP_VERSION:
        attributes.append(0 if network else TCP)
    if version >= SCOPE_VERSION:
        attributes.append(SCOPE_SIGNALS | (0 if network else SCOPE_ABSTRACT_SOCKETS))
    return struct.pack(f"={len(attributes)}Q", *attributes)


def list_rules(version: int, reach: Reach) -> list[tuple[str, int]]:
    """What is allowed: paths, and the rights over all that lies below them."""
    every = _all_rights(version)
    rules = [(path, READ) for path in (*reach.readable, "/proc")]
    rules += [(path, every) for path in (*reach.writable, *PLAIN_DEVICES, *reach.devices)]
    return [(path, rights & every if Path(path).is_dir() else rights & every & FOR_FILES) for path, rights in rules]


def _all_rights(version: int) -> int:
    return RIGHTS_OF_VERSION[max(known for known in RIGHTS_OF_VERSION if known <= version)]
