"""The caged child: a program that runs in a cage while netwright does something else."""

import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from netwright.errors import NetwrightError, UserError
from netwright.probes import landlock_version
from netwright.result import Record
from netwright.sandbox.bubblewrap import Bubblewrap, find_bubblewrap
from netwright.sandbox.landlock import list_rules, pack_ruleset
from netwright.sandbox.launcher import launcher
from netwright.sandbox.level import Level
from netwright.sandbox.levels import choose_level
from netwright.sandbox.limits import MIB, Limits
from netwright.sandbox.order import KILL, Order
from netwright.sandbox.reach import Reach, find_reach
from netwright.sandbox.seccomp import pack_filter
from netwright.sandbox.settings import current_settings
from netwright.sandbox.variables import scrubbed_environment
from netwright.sandbox.workspace import check_workspace

PRIVATE_FOLDERS = ("home", "tmp", "shm")
CAGE_PROCESSES: dict[Level, int] = {"bubblewrap": 2, "landlock": 0, "rlimits": 0}
"""How many processes stand between the supervisor and the program."""
LETTING_GO_S = 10.0
SIGNAL_BASE = 128


class Resources(Record):
    """What a program and everything that it started used."""

    wall_s: float
    cpu_s: float
    peak_memory_bytes: int
    """The largest process at its largest, or all of them together at a look, whichever is more."""
    processes: int
    """The most at a look; 0 when it ended before the first one."""


class Ended(Record):
    """How a child ended; by then nothing is left of its process tree."""

    exit_code: int
    """Negative for a signal. Bubblewrap hides the difference from exit codes above 128, which are taken for signals."""
    stopped: str | None
    """Why it was stopped: "wall", "cpu", "memory", "processes", "threads", or "killed"; None if it ended by itself."""
    resources: Resources


class Child:
    """A program in its cage; use it as a context manager, which ends it and everything that it started.

    Attributes:
        pid: The process at the head of its process tree, outside the cage; it watches and ends the tree.
        level: The level in force.
        output: What it prints, standard output and errors together; whoever starts it must read this.
        temporary: Its private folder, removed by `close`.
    """

    def __init__(
        self,
        pid: int,
        control: socket.socket,
        output: IO[bytes],
        level: Level,
        temporary: Path,
    ) -> None:
        self.pid = pid
        self.level = level
        self.output = output
        self.temporary = temporary
        self._control = control
        self._started = time.perf_counter()
        self._ended: Ended | NetwrightError | None = None
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """A descriptor that becomes readable when the program has ended."""
        return self._control.fileno()

    def poll(self) -> Ended | None:
        """How it ended, or None while it runs; raises as `wait`."""
        try:
            return self.wait(timeout=0)
        except TimeoutError:
            return None

    def wait(self, timeout: float | None = None) -> Ended:
        """Wait until it and everything that it started has ended.

        Args:
            timeout: Seconds; None waits for ever.

        Raises:
            TimeoutError: It goes on running.
            NetwrightError: It could not be started.
        """
        if not self._lock.acquire(timeout=-1 if timeout is None else timeout):
            raise TimeoutError
        try:
            self._await_report(timeout)
        finally:
            self._lock.release()
        if isinstance(self._ended, NetwrightError):
            raise self._ended
        assert self._ended is not None
        return self._ended

    def kill(self) -> None:
        """Have it ended with everything that it started; does not wait."""
        try:
            self._control.send(KILL)
        except OSError:  # it has ended
            return

    def close(self) -> None:
        """End it with everything that it started, wait for that, and remove its private folder."""
        self.kill()
        with self._lock:
            if self._control.fileno() < 0:
                return
            with suppress(TimeoutError):
                self._await_report(LETTING_GO_S)
            self._ended = self._ended or _read_report("", time.perf_counter() - self._started, self.level)
            self._let_go()
        self.output.close()
        shutil.rmtree(self.temporary, ignore_errors=True)  # usually gone by now

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _let_go(self) -> None:
        """Let the supervisor clear up, and wait until it has ended."""
        try:
            self._control.shutdown(socket.SHUT_WR)
            self._control.settimeout(LETTING_GO_S)
            while self._control.recv(1 << 16):
                pass
        except TimeoutError:
            os.kill(self.pid, signal.SIGKILL)
        except OSError:  # it has ended
            pass
        self._control.close()

    def _await_report(self, timeout: float | None) -> None:
        if self._ended is not None:
            return
        self._control.settimeout(timeout)
        try:
            report = self._control.recv(1 << 16)
        except BlockingIOError:
            raise TimeoutError from None
        except ConnectionError:
            report = b""
        wall_s = time.perf_counter() - self._started
        self._ended = _read_report(report.decode(), wall_s, self.level)


def start(
    argv: Sequence[str],
    *,
    workspace: Path,
    limits: Limits | None = None,
    network: bool = False,
    level: Level | None = None,
    cuda: bool = False,
    environment: Mapping[str, str] | None = None,
    readable: Iterable[Path] = (),
    writable: Iterable[Path] = (),
    pass_fds: Sequence[int] = (),
    temporary: Path | None = None,
) -> Child:
    """Start a program in a cage; safe to call from any thread.

    Args:
        argv: The program, looked for on the path, and its arguments.
        workspace: Where it starts, and what it may write.
        limits: What it may use; None takes the job's. `output_mib` is up to whoever reads its output.
        network: Whether it may use the network.
        level: Exactly this level of confinement; None takes the best one.
        cuda: Whether it may use the GPUs; address space is then unlimited, memory is watched instead.
        environment: Variables to add to those few that it gets.
        readable: Files and folders that it may read beside the system, this interpreter and its import path.
        writable: Files and folders that it may write beside its workspace and its private folder.
        pass_fds: File descriptors that it inherits under the same numbers.
        temporary: A private folder made by `make_temporary`, when files are to lie there from the start.

    Raises:
        UserError: The machine lacks the level, the workspace is none, a variable is named like a secret, or there is
            no such program.
        NetwrightError: The cage could not be built (also from `Child.wait`).
    """
    chosen = choose_level(level)
    folder = check_workspace(workspace)
    temporary = temporary or make_temporary()
    try:
        variables = scrubbed_environment(temporary, environment)
        program = _find_program(argv, folder, variables["PATH"])
        reach = find_reach(
            temporary=temporary,
            readable=[program, *readable],
            writable=[folder, *writable],
            network=network,
            cuda=cuda,
        )
        order = _order(
            [str(program), *argv[1:]],
            folder,
            reach,
            limits or current_settings().limits,
            network=network,
            level=chosen,
            cuda=cuda,
            environment=variables,
            descriptors=list(pass_fds),
        )
        return _launch(order, chosen, temporary)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _read_report(report: str, wall_s: float, level: Level) -> Ended | NetwrightError:
    """What the supervisor reported; nothing when somebody killed it."""
    if not report:
        used = Resources(wall_s=wall_s, cpu_s=0, peak_memory_bytes=0, processes=0)
        return Ended(exit_code=-signal.SIGKILL, stopped="killed", resources=used)
    facts, _, problem = report.partition("\n")
    stopped, code, cpu_s, peak, processes = facts.split()
    if stopped == "setup":
        return NetwrightError("a program could not be started in the sandbox", why=problem)
    used = Resources(
        wall_s=wall_s,
        cpu_s=float(cpu_s),
        peak_memory_bytes=int(peak),
        processes=max(0, int(processes) - CAGE_PROCESSES[level]),
    )
    exit_code = int(code)
    if level == "bubblewrap" and SIGNAL_BASE < exit_code < SIGNAL_BASE + signal.NSIG:
        exit_code = SIGNAL_BASE - exit_code
    return Ended(exit_code=exit_code, stopped=None if stopped == "-" else stopped, resources=used)


def make_temporary() -> Path:
    """A new private folder, with a home in it."""
    temporary = Path(tempfile.mkdtemp(prefix="netwright-cage-")).resolve()
    for name in PRIVATE_FOLDERS:
        (temporary / name).mkdir()
    return temporary


def _find_program(argv: Sequence[str], folder: Path, path: str) -> Path:
    name = argv[0] if argv else ""
    found = shutil.which(folder / name) if "/" in name else shutil.which(name, path=path)
    if found is None:
        raise UserError(f"there is no program named '{name}' to run in the sandbox")
    return Path(os.path.normpath(found))


def _order(
    argv: list[str],
    folder: Path,
    reach: Reach,
    limits: Limits,
    *,
    network: bool,
    level: Level,
    cuda: bool,
    environment: dict[str, str],
    descriptors: list[int],
) -> Order:
    ruleset, rules = b"", list[tuple[str, int]]()
    if level == "bubblewrap":
        bubblewrap = find_bubblewrap()
        assert isinstance(bubblewrap, Bubblewrap)
        argv = bubblewrap.wrap(argv, reach, folder, network=network)
    elif level == "landlock":
        version = landlock_version()
        ruleset, rules = pack_ruleset(version, network=network), list_rules(version, reach)
    assert reach.temporary is not None
    return Order(
        argv=argv,
        bubblewrap=level == "bubblewrap",
        environment=environment,
        folder=str(folder),
        descriptors=descriptors,
        rlimits=limits.rlimits(cuda=cuda),
        ruleset=ruleset,
        rules=rules,
        socket_filter=b"" if network or level == "bubblewrap" else pack_filter(),
        drop_capabilities=level != "bubblewrap",
        wall_s=limits.wall_s or 0.0,
        cpu_s=limits.cpu_s or 0.0,
        memory=(limits.memory_mib or 0) * MIB,
        processes=limits.processes + CAGE_PROCESSES[level] if limits.processes else 0,
        threads=limits.threads or 0,
        temporary=str(reach.temporary),
        parent=os.getpid(),
    )


def _launch(order: Order, level: Level, temporary: Path) -> Child:
    reader, writer = os.pipe()
    output = os.fdopen(reader, "rb")
    try:
        pid, control = launcher.launch(order, writer)
    except BaseException:
        output.close()
        raise
    finally:
        os.close(writer)
    return Child(pid, control, output, level, temporary)
