"""The worker's process: started with one end of the judge's channel, and ended together with everything it started."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from netwright.cases import CaseOptions
from netwright.errors import NetwrightError
from netwright.harness.compiled import copied_compiler_cache, precompiled_headers, seed_compiler_cache
from netwright.harness.confinement import LIMITS, hub_folders, make_scratch, may_use_gpu, readable_paths
from netwright.harness.forks import ForkedProcess, fork_server
from netwright.harness.source import is_readable
from netwright.harness.variant import Variant
from netwright.sandbox import make_temporary, python_variables, start
from netwright.sandbox.variables import USER
from netwright.threads import brief_spinning

WORKER = "netwright.harness.worker"
GRACE_SECONDS = 2.0
LAST_WORDS = {"PYTHONUNBUFFERED": "1"}
STEADY_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1)}
"""Have glibc keep memory that a call frees for the next one. By default it depends on the luck of a process's layout
whether that goes back to the system, and a call then pays for page faults."""
TAIL_LINES = 6
TAIL_BYTES = 1 << 16


class WorkerProcess(Protocol):
    """A process that serves the other end of the judge's channel. The last of what it prints is kept."""

    scratch: Path | None
    """Where alone it may write; None for one that may write anywhere."""

    @property
    def pid(self) -> int:
        """Its pid."""

    def exit_code(self) -> int | None:
        """Its exit code, negative for a signal; None if it goes on running after a moment."""

    def printed(self) -> list[str]:
        """The last lines that it printed."""

    def kill(self) -> None:
        """Kill it and everything that it started."""


def start_worker(connection: socket.socket, case: str, options: CaseOptions, variant: Variant) -> WorkerProcess:
    """Start a worker for a variant: in a cage where that is a file that anybody may have written.

    Raises:
        UserError: The machine lacks the level of confinement that is required.
    """
    if not (variant.confined and is_readable(variant)):
        return PlainWorker(connection, variant.environment, cuda=may_use_gpu(options))
    return CagedWorker(connection, readable_paths(case, variant), variant.environment, cuda=may_use_gpu(options))


class PlainWorker:
    """A process with this one's environment, import path and current folder, in a process group of its own.

    It dies when this process does. Where it can be split off a fork server, it is; CUDA is better begun with afresh.

    Args:
        variables: What its environment has beside.
        cuda: Whether it may use GPUs.
        module: The module whose `main(descriptor)` it runs, with the descriptor of the connection.
    """

    scratch: Path | None = None

    def __init__(
        self, connection: socket.socket, variables: Mapping[str, str], *, cuda: bool, module: str = WORKER
    ) -> None:
        reading, writing = os.pipe()
        self._printed = _Tail(os.fdopen(reading, "rb"))
        try:
            forked = None if variables or cuda else _split_off(connection, writing, module)
            self._process = forked or StartedProcess(connection, writing, module, variables)
        finally:
            os.close(writing)

    @property
    def pid(self) -> int:
        """Its pid."""
        return self._process.pid

    def exit_code(self) -> int | None:
        return self._process.wait(GRACE_SECONDS)

    def printed(self) -> list[str]:
        return self._printed.lines()

    def kill(self) -> None:
        self._process.kill(GRACE_SECONDS)
        self._printed.lines()


class StartedProcess:
    """A process that was started afresh, with the methods of `ForkedProcess`."""

    def __init__(self, connection: socket.socket, output: int, module: str, variables: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            _command(connection, module=module),
            pass_fds=[connection.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**_plain_environment(), **variables},
        )
        self.pid = self._process.pid

    def wait(self, seconds: float) -> int | None:
        """Its exit code, negative for a signal; None if it goes on running for so long."""
        try:
            return self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self, seconds: float) -> None:
        """Kill its process group, and wait that long for it to be gone."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait(seconds)


def prepare_workers(*modules: str) -> None:
    """Have modules imported beforehand that workers outside cages will want, while something else goes on."""
    if (server := fork_server(_plain_environment())) is not None:
        server.prepare(*modules)


class CagedWorker:
    """A worker in a cage, which finds modules and relative paths as this process does and writes only into `scratch`.

    Args:
        readable: What it may read beside the system and Python.
        variables: What its environment has beside.
        cuda: Whether it may use GPUs.
    """

    def __init__(
        self, connection: socket.socket, readable: Iterable[Path], variables: Mapping[str, str], *, cuda: bool
    ) -> None:
        self._folder = make_scratch()
        self.scratch: Path | None = Path(self._folder.name).resolve()
        temporary = make_temporary()
        seed_compiler_cache(temporary / "tmp", USER)
        hubs = {name: str(folder) for name, folder in hub_folders().items()} | {"HF_HUB_OFFLINE": "1"}
        self._child = start(
            _command(connection, str(Path.cwd())),
            workspace=self.scratch,
            limits=LIMITS,
            cuda=cuda,
            environment={
                **python_variables(self.scratch),
                **steady_variables(),
                **LAST_WORDS,
                **hubs,
                **copied_compiler_cache(self.scratch),
                **variables,
            },
            readable=[*readable, *(folder for folder in (precompiled_headers(),) if folder.is_dir())],
            temporary=temporary,
            pass_fds=[connection.fileno()],
        )
        self.pid = self._child.pid
        self._printed = _Tail(self._child.output)

    def exit_code(self) -> int | None:
        try:
            return self._child.wait(timeout=GRACE_SECONDS).exit_code
        except TimeoutError:
            return None

    def printed(self) -> list[str]:
        return self._printed.lines()

    def kill(self) -> None:
        self._child.kill()
        with suppress(TimeoutError, NetwrightError):
            self._child.wait(timeout=GRACE_SECONDS)
        self._printed.lines()
        self._child.close()
        self._folder.cleanup()


def steady_variables() -> dict[str, str]:
    """What a timed process starts with, so that its latency does not hang on luck or on its neighbours."""
    memory = {name: os.environ.get(name, value) for name, value in STEADY_MEMORY.items()}
    return {**memory, **brief_spinning(os.environ)}


def _split_off(connection: socket.socket, output: int, module: str) -> ForkedProcess | None:
    """A process that a fork server splits off; None where there is no such server."""
    server = fork_server(_plain_environment())
    try:
        return server.fork(module, connection, output) if server else None
    except OSError:  # it has just been killed
        return None


def _plain_environment() -> dict[str, str]:
    path = os.pathsep.join(path for path in sys.path if path)
    return {**os.environ, **steady_variables(), **LAST_WORDS, "PYTHONPATH": path}


def _command(connection: socket.socket, *arguments: str, module: str = WORKER) -> list[str]:
    return [sys.executable, "-P", "-m", "netwright.start", module, str(connection.fileno()), *arguments]


class _Tail:
    """The last bytes of a stream, read by a thread so that whoever writes never blocks."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._kept = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def lines(self) -> list[str]:
        """Its last lines; does not wait for grandchildren that keep it open."""
        self._thread.join(timeout=GRACE_SECONDS)
        return self._kept.decode(errors="replace").rstrip().splitlines()[-TAIL_LINES:]

    def _read(self) -> None:
        with self._stream:
            while chunk := os.read(self._stream.fileno(), TAIL_BYTES):
                self._kept = (self._kept + chunk)[-TAIL_BYTES:]
