"""The filter of sockets, in force."""

from pathlib import Path

import pytest

from netwright.sandbox import Level, Source, run
from netwright.sandbox.seccomp import filters_sockets, pack_filter

SOCKETS = """
import socket
kinds = {"ip": socket.AF_INET, "ipv6": socket.AF_INET6, "netlink": socket.AF_NETLINK, "unix": socket.AF_UNIX}
for name, family in kinds.items():
    try:
        socket.socket(family, socket.SOCK_DGRAM)
        print(name)
    except PermissionError:
        pass
socket.socketpair()
"""

needs_filter = pytest.mark.skipif(not filters_sockets(), reason="there is no filter for this machine")


@needs_filter
@pytest.mark.parametrize(("network", "allowed"), [(False, "unix"), (True, "ip ipv6 netlink unix")])
@pytest.mark.parametrize("level", ["landlock", "rlimits"])
def test_only_unix_sockets_are_left(workspace: Path, level: Level, network: bool, allowed: str) -> None:
    done = run(Source(SOCKETS), workspace=workspace, level=level, network=network)
    assert done.ok, done.output
    assert done.output.split() == allowed.split()


@needs_filter
def test_io_uring_is_no_way_around(workspace: Path) -> None:
    text = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nprint(libc.syscall(425, 1, bytes(120)))\n"
    done = run(Source(text + "print(ctypes.get_errno())"), workspace=workspace, level="rlimits")
    assert done.output.split() == ["-1", "13"]


def test_a_machine_whose_calls_are_not_known_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert pack_filter() == b""
