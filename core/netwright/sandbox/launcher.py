"""The launcher: netwright's end of the forker, and how supervisors come to be."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

from netwright.errors import NetwrightError
from netwright.sandbox.order import LENGTH, Order

FORKER = """
import sys, types
for name, folder in (("netwright", sys.argv[2]), ("netwright.sandbox", sys.argv[3])):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
from netwright.sandbox.forker import main
main(int(sys.argv[1]))
"""
"""It does without what the packages' `__init__` import, and without site-packages."""
KEPT_VARIABLES = ("LD_LIBRARY_PATH",)
ATTEMPTS = 2
ANSWER_S = 30.0


class Launcher:
    """Has supervisors forked; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forker: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None

    def launch(self, order: Order, output: int) -> tuple[int, socket.socket]:
        """Have an order carried out; the supervisor's process and the socket to it.

        Args:
            output: What the program prints to.

        Raises:
            NetwrightError: No supervisor could be started.
        """
        problem = ""
        for _ in range(ATTEMPTS):  # somebody may have killed the forker
            ours, theirs = socket.socketpair()
            try:
                with theirs:
                    self._request([theirs.fileno(), output, *order.descriptors])
                ours.settimeout(ANSWER_S)
                (pid,) = LENGTH.unpack(ours.recv(LENGTH.size, socket.MSG_WAITALL).rjust(LENGTH.size, b"\0"))
                if pid:
                    body = order.pack()
                    ours.sendall(LENGTH.pack(len(body)) + body)
                    return pid, ours
                problem = "the process that starts programs has ended"
            except OSError as error:
                problem = str(error)
            ours.close()
            self.forget()
        raise NetwrightError("the sandbox could not be started", why=problem)

    def forget(self) -> None:
        """Start another forker for the next program."""
        with self._lock:
            if self._requests is not None and self._forker is not None:
                self._requests.close()
                self._forker.kill()
                self._forker.wait()
                self._requests = self._forker = None

    def renew(self) -> None:
        """Begin anew in a fork of the process, whose forker belongs to its parent."""
        self._lock = threading.Lock()
        self._requests = self._forker = None

    def _request(self, descriptors: list[int]) -> None:
        with self._lock:
            if self._requests is None:
                self._requests, self._forker = _start_forker()
            socket.send_fds(self._requests, [b"f"], descriptors)


def _start_forker() -> "tuple[socket.socket, subprocess.Popen[bytes]]":
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    folder = Path(__file__).parent
    with theirs:
        forker = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", FORKER, str(theirs.fileno()), str(folder.parent), str(folder)],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env={name: value for name in KEPT_VARIABLES if (value := os.environ.get(name))},
        )
    return ours, forker


launcher = Launcher()
"""The process's own."""
os.register_at_fork(after_in_child=launcher.renew)
