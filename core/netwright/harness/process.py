"""The worker's process: started with one end of the judge's channel, and ended together with everything it started."""

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO

GRACE_SECONDS = 2.0
TAIL_LINES = 6
TAIL_BYTES = 1 << 16


class WorkerProcess:
    """A process that serves the other end of `connection`, in a process group of its own.

    It sees this process's environment, import path and current folder, and dies with the thread that started it. The
    last of what it prints is kept.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "netwright.harness.worker", str(connection.fileno())],
            pass_fds=[connection.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        self.pid = self._process.pid
        self._printed = _Tail(self._process.stdout)

    def exit_code(self) -> int | None:
        """Its exit code, negative for a signal; None if it goes on running after a moment."""
        try:
            return self._process.wait(timeout=GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return None

    def printed(self) -> list[str]:
        """The last lines that it printed."""
        return self._printed.lines()

    def kill(self) -> None:
        """Kill it and its process group."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._printed.lines()


class _Tail:
    """The last bytes of a stream, read by a thread so that whoever writes never blocks."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        assert stream is not None
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
