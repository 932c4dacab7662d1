"""The fork server: has imported what workers import, and splits itself for each.

Neither a case's nor a variant's code ever runs in it, so that each worker begins as a new process would, without the
seconds that imports take. It ends when whoever started it closes the socket, and its workers end with it.
"""

import os

STARTED_WITH = dict(os.environ)
"""Some of the modules below write into the environment when they are imported."""

# ruff: noqa: E402
import gc
import socket
import sys
import time
from contextlib import suppress
from importlib import import_module

import netwright.harness.worker  # noqa: F401 - this is what it is for
from netwright.harness.fork_protocol import LARGEST_MESSAGE, REQUEST, Fork, Reply, Wait

TICK_S = 0.002


def serve(control: socket.socket) -> tuple[str, int] | None:
    """Answer requests until the other end is closed.

    Returns:
        In a process that was split off, the module that it runs and its socket; None in the server itself.
    """
    while True:
        text, descriptors, _, _ = socket.recv_fds(control, LARGEST_MESSAGE, maxfds=2)
        if not text:
            return None
        request = REQUEST.validate_json(text)
        if request.kind == "import":
            for module in request.modules:
                with suppress(ImportError):  # whoever needs it will find out, and say so
                    import_module(module)
            continue
        if request.kind == "wait":
            value = _wait(request)
        else:
            gc.freeze()  # a collection in the child would otherwise write to every page, and so copy it
            if (value := os.fork()) == 0:
                control.close()
                _become(request, descriptors[1])
                return request.module, descriptors[0]
            for descriptor in descriptors:
                os.close(descriptor)
        control.send(Reply(number=request.number, value=value).model_dump_json().encode())


def _become(request: Fork, output: int) -> None:
    """Be as a process that was started in this folder with this output, in a process group of its own."""
    os.setsid()
    os.dup2(output, sys.stdout.fileno())
    os.dup2(output, sys.stderr.fileno())
    os.close(output)
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(STARTED_WITH)


def _wait(request: Wait) -> int | None:
    deadline = time.monotonic() + request.seconds
    while True:
        pid, status = os.waitpid(request.pid, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            return None
        time.sleep(TICK_S)


def main(descriptor: int) -> None:
    """Serve at the other end of the inherited socket; in a process that was split off, do its work."""
    control = socket.socket(fileno=descriptor)
    control.set_inheritable(False)
    if (work := serve(control)) is not None:
        module, connection = work
        import_module(module).main(connection)
