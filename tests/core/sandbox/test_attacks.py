"""Attacks on the cage: what each level contains, and the table of it in docs/sandbox.md."""

import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from netwright.errors import NetwrightError
from netwright.probes import landlock_version
from netwright.sandbox import LEVELS, Completed, Level, Limits, Reason, Source, probe_levels, run, safe_read
from netwright.sandbox.seccomp import filters_sockets

PAGE = Path(__file__).parents[3] / "docs" / "sandbox.md"
WORKING = [probe.level for probe in probe_levels() if probe.works]
NO = "not contained"
BEGINS = "the attack begins"
LIMITS = Limits(wall_s=20, output_mib=1)


@dataclass
class Target:
    """What the attacks aim at: a folder, a home, sockets and a process of the user's, all outside the cage.

    Attributes:
        secret_text: Stands in the environment of the process and in a file of the home.
        find_marked: Finds what the attack has left running.
    """

    root: Path
    workspace: Path
    process: "subprocess.Popen[bytes]"
    tcp: socket.socket
    udp: socket.socket
    abstract: socket.socket
    named: socket.socket
    find_marked: Callable[[], list[int]]
    secret_text: str

    @property
    def outside(self) -> Path:
        return self.root / "outside"

    @property
    def secret(self) -> Path:
        return self.root / "home" / ".netrc"

    def describe(self) -> str:
        """What an attacker may know, as Python text."""
        lines = {
            "outside": str(self.outside),
            "secret": str(self.secret),
            "pid": self.process.pid,
            "tcp": self.tcp.getsockname(),
            "udp": self.udp.getsockname(),
            "abstract": self.abstract.getsockname(),
            "named": self.named.getsockname(),
        }
        return "\n".join(
            ["import ctypes, mmap, os, shutil, signal, socket, sys, time"] + [f"{k} = {v!r}" for k, v in lines.items()]
        )


def nothing_written(target: Target, _: Completed) -> None:
    assert list(target.outside.iterdir()) == []


def nothing_read(target: Target, completed: Completed) -> None:
    printed = completed.output if completed.output_file is None else completed.output_file.read_text()
    assert target.secret_text not in printed


def nobody_connected(target: Target, _: Completed) -> None:
    for listener in (target.tcp, target.abstract, target.named):
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    target.udp.setblocking(False)
    with pytest.raises(BlockingIOError):
        target.udp.recv(1)


def nothing_left(target: Target, _: Completed) -> None:
    assert target.find_marked() == []


def process_alive(target: Target, _: Completed) -> None:
    assert target.process.poll() is None


def workspace_there(target: Target, _: Completed) -> None:
    assert target.workspace.is_dir()
    assert not target.workspace.is_symlink()
    assert target.outside.is_dir()


def link_not_followed(target: Target, completed: Completed) -> None:
    assert completed.ok
    for name in ("result.txt", "folder/.netrc"):
        with pytest.raises(NetwrightError):
            safe_read(target.workspace, name)


def output_bounded(_: Target, completed: Completed) -> None:
    assert completed.output_bytes <= 1 << 20
    assert len(completed.output) < 1 << 17
    assert completed.output_file is not None
    assert completed.output_file.stat().st_size == completed.output_bytes


@dataclass(frozen=True)
class Attack:
    """A program, the reason for which each level ends it, or why a level cannot contain it."""

    name: str
    source: str
    bubblewrap: Reason
    landlock: Reason | str
    rlimits: Reason | str
    harmless: Callable[[Target, Completed], None]
    limits: Limits = LIMITS
    scope: bool = False
    """Landlock contains it from version 6 of its interface."""
    socket_filter: bool = False
    """The levels without a network of their own contain it where seccomp can filter calls."""
    needs_privileges: bool = False
    """Root cannot do it without root's privileges, which no caged program has."""

    def cell(self, level: Level) -> str:
        """What the table says of a level."""
        answer = str(getattr(self, level))
        return answer if answer.startswith(NO) else f"`{answer}`"


ATTACKS = (
    Attack(
        "write into another folder",
        "open(outside + '/x', 'w')",
        "failed", "denied", NO, nothing_written,
    ),
    Attack(
        "write through a symbolic link",
        "os.symlink(outside, 'link'); open('link/x', 'w')",
        "failed", "denied", NO, nothing_written,
    ),
    Attack(
        "write through `..`",
        "open('../outside/x', 'w')",
        "failed", "denied", NO, nothing_written,
    ),
    Attack(
        "write into the system or the interpreter",
        """
        for folder in ("/usr", sys.prefix, os.path.dirname(os.__file__)):
            try:
                open(f"{folder}/written-by-an-attack", "w")
            except OSError as refusal:
                error = refusal
            else:
                os.rename(f"{folder}/written-by-an-attack", f"{outside}/x")
                sys.exit()
        raise error
        """,
        "denied", "denied", NO, nothing_written,
    ),
    Attack(
        "read keys in its own environment",
        "print(os.environ)",
        "ok", "ok", "ok", nothing_read,
    ),
    Attack(
        "read keys in the environment of netwright and other processes",
        """
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                print(open(f"/proc/{name}/environ").read())
            except OSError:
                pass
        """,
        "ok", "ok", NO, nothing_read, needs_privileges=True,
    ),
    Attack(
        "read a file of keys in the home folder",
        "print(open(secret).read())",
        "failed", "denied", NO, nothing_read,
    ),
    Attack(
        "connect to a TCP socket on loopback",
        "socket.create_connection(tcp, 5)",
        "denied", "denied", "denied", nobody_connected, socket_filter=True,
    ),
    Attack(
        "send to a UDP socket on loopback",
        """
        channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        channel.connect(udp)
        channel.send(b"x")
        channel.settimeout(5)
        channel.recv(1)
        """,
        "denied", "denied", "denied", nobody_connected, socket_filter=True,
    ),
    Attack(
        "connect to an abstract Unix socket",
        "socket.socket(socket.AF_UNIX).connect(abstract)",
        "denied", "denied", NO, nobody_connected, scope=True,
    ),
    Attack(
        "connect to a Unix socket by its path",
        "socket.socket(socket.AF_UNIX).connect(named)",
        "failed", NO, NO, nobody_connected,
    ),
    Attack(
        "children that fork on",
        """
        for _ in range(10):
            os.fork()
        time.sleep(15)
        """,
        "killed", "killed", "killed", nothing_left,
        Limits(wall_s=20, processes=20),
    ),
    Attack(
        "a `setsid` grandchild that outlives its parent",
        """
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
                time.sleep(60)
            os._exit(0)
        os.wait()
        """,
        "ok", "ok", "ok", nothing_left,
    ),
    Attack(
        "allocate more memory than allowed",
        "text = bytearray(512 << 20)",
        "memory", "memory", "memory", nothing_left,
        Limits(wall_s=20, memory_mib=256),
    ),
    Attack(
        "share more memory than allowed",
        """
        shared = mmap.mmap(-1, 1 << 30)
        while shared.write(bytes(16 << 20)):
            time.sleep(0.03)
        """,
        "memory", "memory", "memory", nothing_left,
        Limits(wall_s=20, memory_mib=128),
    ),
    Attack(
        "share out memory among children",
        """
        for _ in range(4):
            if os.fork() == 0:
                break
        text = b"x" * (100 << 20)
        time.sleep(15)
        """,
        "memory", "memory", "memory", nothing_left,
        Limits(wall_s=20, memory_mib=256),
    ),
    Attack(
        "write a larger file than allowed",
        "open('file', 'wb', buffering=0).write(bytes(1 << 20)); open('file', 'ab', buffering=0).write(b'x')",
        "file_size", "file_size", "file_size", nothing_left,
        Limits(wall_s=20, file_mib=1),
    ),
    Attack(
        "an endless loop",
        "while True: pass",
        "timeout", "timeout", "timeout", nothing_left,
        Limits(wall_s=1),
    ),
    Attack(
        "an endless loop in a child, with a limit of CPU time",
        """
        for _ in range(2):
            os.fork()
        while True: pass
        """,
        "timeout", "timeout", "timeout", nothing_left,
        Limits(wall_s=20, cpu_s=1),
    ),
    Attack(
        "ignore SIGTERM",
        """
        for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:
            try:
                signal.signal(number, signal.SIG_IGN)
            except OSError:
                pass
        time.sleep(15)
        """,
        "timeout", "timeout", "timeout", nothing_left,
        Limits(wall_s=1),
    ),
    Attack(
        "a flood of output",
        "while True: print('x' * 10000)",
        "output_limit", "output_limit", "output_limit", output_bounded,
    ),
    Attack(
        "a huge traceback",
        "raise RuntimeError('x' * (8 << 20))",
        "output_limit", "output_limit", "output_limit", output_bounded,
    ),
    Attack(
        "delete the workspace",
        """
        open("file", "w")
        shutil.rmtree(os.getcwd())
        """,
        "denied", "denied", NO, workspace_there,
    ),
    Attack(
        "leave a symbolic link for netwright to follow",
        "os.symlink(secret, 'result.txt'); os.symlink(os.path.dirname(secret), 'folder')",
        "ok", "ok", "ok", link_not_followed,
    ),
    Attack(
        "kill netwright's process group, or another one of the user's",
        "os.killpg(pid, signal.SIGKILL)",
        "denied", "denied", NO, process_alive, scope=True,
    ),
    Attack(
        "kill netwright, or another process of the user's",
        "os.kill(pid, signal.SIGKILL)",
        "denied", "denied", NO, process_alive, scope=True,
    ),
    Attack(
        "trace netwright, or another process of the user's",
        """
        libc = ctypes.CDLL(None, use_errno=True)
        attach, go_on, any_kind = 16, 7, 0x40000000
        if libc.ptrace(attach, pid, 0, 0):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        os.waitpid(pid, any_kind)
        libc.ptrace(go_on, pid, 0, signal.SIGKILL)
        os.waitpid(pid, any_kind)
        """,
        "denied", "denied", NO, process_alive, needs_privileges=True,
    ),
    Attack(
        "kill the supervisor and leave a child behind",
        """
        if os.fork() == 0:
            os.setsid()
            time.sleep(30)
        os.kill(os.getppid(), signal.SIGKILL)
        """,
        "ok", "denied", NO, nothing_left, scope=True,
    ),
)  # fmt: skip

CELLS = [
    pytest.param(
        attack,
        level,
        id=f"{attack.name}-{level}",
        marks=[] if level == WORKING[0] or "setsid" in attack.name else [pytest.mark.acceptance],
    )
    for attack in ATTACKS
    for level in LEVELS
    if not attack.cell(level).startswith(NO)
]


UNCONTAINED = [
    pytest.param(attack, level, id=f"{attack.name}-{level}")
    for attack in ATTACKS
    for level in LEVELS
    if attack.cell(level).startswith(NO)
]


@pytest.fixture
def target(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch, find_marked: Callable[[], list[int]]
) -> Iterator[Target]:
    for name in ("outside", "home"):
        (tmp_path / name).mkdir()
    short = Path(f"/tmp/{uuid4().hex}.sock")  # the name of a socket has about a hundred characters at most
    secret = uuid4().hex
    (tmp_path / "home" / ".netrc").write_text(f"machine x password {secret}")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OPENAI_API_KEY", secret)
    process = subprocess.Popen(["sleep", "300"], start_new_session=True)
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as abstract,
        socket.socket(socket.AF_UNIX) as named,
    ):
        udp.bind(("127.0.0.1", 0))
        abstract.bind(f"\0{uuid4().hex}")
        named.bind(str(short))
        abstract.listen()
        named.listen()
        yield Target(tmp_path, workspace, process, tcp, udp, abstract, named, find_marked, secret)
    process.kill()
    process.wait()
    for pid in find_marked():
        os.kill(pid, 9)
    short.unlink()


def attempt(attack: Attack, level: Level, target: Target, mark: dict[str, str]) -> Completed:
    """Run an attack that is sure to begin."""
    if level not in WORKING:
        pytest.skip(f"{level} does not work here")
    if level == "landlock" and attack.scope and landlock_version() < 6:
        pytest.skip("Landlock is too old")
    if level != "bubblewrap" and attack.socket_filter and not filters_sockets():
        pytest.skip("there is no filter for this machine")
    completed = run(
        Source("\n".join([target.describe(), f"print({BEGINS!r}, flush=True)", textwrap.dedent(attack.source)])),
        workspace=target.workspace,
        limits=attack.limits,
        level=level,
        environment=mark,
        spill_folder=target.root / "spill",
    )
    assert completed.output.startswith(BEGINS)
    assert completed.level == level
    return completed


@pytest.mark.parametrize(("attack", "level"), CELLS)
def test_attack_is_contained(attack: Attack, level: Level, target: Target, mark: dict[str, str]) -> None:
    completed = attempt(attack, level, target, mark)
    attack.harmless(target, completed)
    assert completed.reason == getattr(attack, level), completed


@pytest.mark.acceptance
@pytest.mark.parametrize(("attack", "level"), UNCONTAINED)
def test_what_a_level_does_not_contain_does_harm(
    attack: Attack, level: Level, target: Target, mark: dict[str, str]
) -> None:
    if attack.needs_privileges and os.geteuid() == 0:
        pytest.skip("without its privileges, root may not do that to a process that has them")
    completed = attempt(attack, level, target, mark)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        attack.harmless(target, completed)


def test_the_best_level_contains_all() -> None:
    assert not any(attack.cell(LEVELS[0]).startswith(NO) for attack in ATTACKS)


def table() -> list[str]:
    """The rows of the matrix as the documentation shows them."""
    header = ["| attack | bubblewrap | landlock | rlimits |", "|---|---|---|---|"]
    return header + [f"| {attack.name} | {' | '.join(map(attack.cell, LEVELS))} |" for attack in ATTACKS]


def test_the_documentation_holds_the_matrix() -> None:
    lines = PAGE.read_text().splitlines()
    start = lines.index(table()[0])
    end = next(number for number, line in enumerate(lines) if number > start and not line.startswith("|"))
    assert lines[start:end] == table()


if __name__ == "__main__":
    sys.stdout.write("\n".join(table()) + "\n")
