"""Processes that are split off a fork server, and so begin with their imports done."""

import os
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from itertools import count
from pathlib import Path

from pydantic import BaseModel

from netwright.harness.fork_protocol import LARGEST_MESSAGE, Fork, Import, Reply, Wait


class ForkServer:
    """A fork server, which starts at once; it ends when nobody refers to this object or to one of its forks any more.

    Args:
        environment: The variables that it and all its forks start with.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "netwright.start", "netwright.harness.fork_server", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=environment,
            )
        self._numbers = count()
        self._replies: dict[int, int | None] = {}
        self._lock = threading.Lock()
        weakref.finalize(self, _end, os.getpid(), self._process, self._control)

    @property
    def alive(self) -> bool:
        """Whether it can be asked anything."""
        return self._process.poll() is None

    def prepare(self, *modules: str) -> None:
        """Have it import modules before its next fork."""
        with suppress(OSError):  # it is gone, which whoever needs a fork will notice
            self._control.send(_packed(Import(modules=modules)))

    def fork(self, module: str, connection: socket.socket, output: int) -> "ForkedProcess":
        """A new process in the current folder, in which a module's `main(descriptor)` is called.

        Args:
            connection: What `main` gets the descriptor of.
            output: The descriptor of where the process writes what it prints.

        Raises:
            OSError: The server is gone.
        """
        number = next(self._numbers)
        request = Fork(number=number, module=module, folder=str(Path.cwd()))
        socket.send_fds(self._control, [_packed(request)], [connection.fileno(), output])
        return ForkedProcess(self, number)

    def reply(self, number: int) -> int | None:
        """The reply to a request; waits for it.

        Raises:
            ConnectionError: The server is gone.
        """
        with self._lock:
            while number not in self._replies:
                if not (text := self._control.recv(LARGEST_MESSAGE)):
                    raise ConnectionError("the fork server is gone")
                reply = Reply.model_validate_json(text)
                self._replies[reply.number] = reply.value
            return self._replies[number]

    def wait(self, pid: int, seconds: float) -> int | None:
        """The exit code of a fork that has not been waited for, negative for a signal; None if it goes on running.

        Raises:
            OSError: The server is gone.
        """
        number = next(self._numbers)
        self._control.send(_packed(Wait(number=number, pid=pid, seconds=seconds)))
        return self.reply(number)


class ForkedProcess:
    """A process that was split off.

    Args:
        number: That of the request for it.
    """

    def __init__(self, server: ForkServer, number: int) -> None:
        self._server = server
        self._number = number
        self._pid: int | None = None
        self._code: int | None = None

    @property
    def pid(self) -> int:
        """Its pid; waits until it has been split off.

        Raises:
            ConnectionError: The server is gone.
        """
        if self._pid is None:
            self._pid = self._server.reply(self._number)
            assert self._pid is not None
        return self._pid

    def wait(self, seconds: float) -> int | None:
        """Its exit code, negative for a signal; None if it goes on running for so long."""
        if self._code is None:
            try:
                self._code = self._server.wait(self.pid, seconds)
            except OSError:
                self._code = -signal.SIGKILL  # all forks die with their server
        return self._code

    def kill(self, seconds: float) -> None:
        """Kill its process group, and wait that long for it to be gone."""
        if self._code is None:
            with suppress(ConnectionError):
                try:
                    os.killpg(self.pid, signal.SIGKILL)
                except ProcessLookupError:  # so young that it has no group of its own yet
                    os.kill(self.pid, signal.SIGKILL)
        self.wait(seconds)


def fork_server(environment: Mapping[str, str]) -> ForkServer | None:
    """The fork server whose forks start with these variables; None where the system has none of its kind."""
    if sys.platform != "linux":
        return None
    key = frozenset(environment.items()), os.getpid()  # a copy of this process needs a server of its own
    if not _server(*key).alive:
        _server.cache_clear()
    return _server(*key)


@lru_cache(maxsize=1)
def _server(environment: frozenset[tuple[str, str]], _: int) -> ForkServer:
    return ForkServer(dict(environment))


def _packed(request: BaseModel) -> bytes:
    return request.model_dump_json().encode()


def _end(owner: int, process: subprocess.Popen[bytes], control: socket.socket) -> None:
    control.close()
    if owner == os.getpid():  # and not a copy of it
        process.kill()
        process.wait()
