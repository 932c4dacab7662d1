"""The supervisor: the process between netwright and a caged program.

It starts the program under its limits, adopts whatever the program leaves behind, watches the whole process tree, ends
it, and reports how it ended. When netwright ends, in whatever way, the supervisor ends the tree and removes the
program's temporary folder.
"""

import fcntl
import os
import resource
import select
import shutil
import socket
import time
from contextlib import suppress
from pathlib import Path

from netwright.sandbox.confinement import SETUP_FAILED, become_program, become_supervisor
from netwright.sandbox.order import LENGTH, Order
from netwright.sandbox.tree import Tree

QUICK_TICK_S, SLOW_TICK_S = 0.02, 0.2
SLOWING = 1.25
"""How much longer each pause between two looks is than the last one, while little is used."""
MOST_OF_THE_TIME = 20
"""A look at the tree may take one part in so many of the time between two looks."""
BUBBLEWRAP_FAILED = "bubblewrap failed"


def serve_order(control: socket.socket, output: int, received: list[int]) -> None:
    """Take one order, carry it out, report, and clear up when netwright lets go.

    Args:
        control: Connected to netwright: first this process's number goes there, then the order comes, then the report
            goes; when the other end closes, all is over.
        output: What the program's standard output and errors go to.
        received: The descriptors that the program inherits.
    """
    become_supervisor()
    control.sendall(LENGTH.pack(os.getpid()))
    (size,) = LENGTH.unpack(_receive(control, LENGTH.size))
    order = Order.unpack(_receive(control, size))
    netwright = _open_process(order.parent)
    try:
        report = _supervise(order, control, netwright, output, received)
    except Exception as error:  # whatever it is, netwright must learn of it
        report = f"setup 0 0 0 0\n{type(error).__name__}: {error}"
    try:
        control.sendall(report.encode())
        _wait_for_release(control, netwright)
    except OSError:  # netwright is gone
        return
    finally:
        _remove(Path(order.temporary))


def _supervise(order: Order, control: socket.socket, netwright: int | None, output: int, received: list[int]) -> str:
    """Run the program to its end; the report: why it was stopped, its status, CPU time, peak memory, processes."""
    tree = Tree()
    started = time.monotonic()
    status_reader, status_writer = os.pipe()
    if order.bubblewrap:
        number = max([2, *order.descriptors]) + 1
        order.argv[1:1] = ["--json-status-fd", str(number)]
        order.descriptors.append(number)
        received = [*received, status_writer]
    try:
        child, problem = _start(order, output, received)
        for descriptor in {*received, status_writer, output}:  # their other ends are to see the program close them
            os.close(descriptor)
        stopped = "setup" if problem else _watch(order, control, netwright, tree, child, started)
    finally:
        tree.end()
    if stopped == "-" and order.bubblewrap and b"exit-code" not in os.read(status_reader, 4096):
        stopped, problem = "setup", BUBBLEWRAP_FAILED
    code = os.waitstatus_to_exitcode(tree.ended[child])
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = max(tree.peak_memory, used.ru_maxrss * 1024)
    return f"{stopped} {code} {used.ru_utime + used.ru_stime:.6f} {peak} {tree.most_processes}\n{problem}"


def _start(order: Order, output: int, received: list[int]) -> tuple[int, str]:
    """Start the program; its process, and why that failed or nothing."""
    supervisor = os.getpid()
    above = max([2, *order.descriptors]) + 1
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            writer = fcntl.fcntl(writer, fcntl.F_DUPFD_CLOEXEC, above)
            moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, above) for descriptor in received]
            for standard in (1, 2):
                os.dup2(output, standard)
            become_program(order, moved, supervisor)
        except BaseException as error:  # whatever it is, the program must not run
            os.write(writer, f"{type(error).__name__}: {error}".encode())
        os._exit(SETUP_FAILED)
    os.close(writer)
    with os.fdopen(reader, "rb") as reasons:
        return child, reasons.read().decode(errors="replace")


def _watch(order: Order, control: socket.socket, netwright: int | None, tree: Tree, child: int, started: float) -> str:
    """Wait until the program ends or must be stopped; why it was stopped, or "-"."""
    poller = select.poll()
    handle = _open_process(child)
    for descriptor in filter(None, (control.fileno(), netwright, handle)):
        poller.register(descriptor, select.POLLIN)
    rested = QUICK_TICK_S
    while True:
        looked = time.monotonic()
        tree.look(cpu=order.cpu_s > 0)
        now = time.monotonic()
        if broken := _broken_limit(order, tree, now - started):
            return broken
        busy = 2 * tree.memory > order.memory > 0 or 2 * tree.processes > order.processes > 0
        rested = QUICK_TICK_S if busy else min(SLOW_TICK_S, rested * SLOWING)
        pause = max(rested, MOST_OF_THE_TIME * (now - looked))
        if order.wall_s:
            pause = min(pause, started + order.wall_s - now)
        ready = {descriptor for descriptor, _ in poller.poll(max(1, int(pause * 1000)))}
        tree.reap()
        if child in tree.ended:
            return "-"
        if ready - {handle}:
            return "killed"


def _broken_limit(order: Order, tree: Tree, wall_s: float) -> str:
    if 0 < order.wall_s <= wall_s:
        return "wall"
    if 0 < order.cpu_s < tree.cpu_s:
        return "cpu"
    if 0 < order.memory < tree.memory:
        return "memory"
    if 0 < order.processes < tree.processes:
        return "processes"
    if 0 < order.threads < tree.threads:
        return "threads"
    return ""


def _open_process(pid: int) -> int | None:
    """A descriptor that becomes readable when a process ends; None on old kernels, where ticks and sockets must do."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _wait_for_release(control: socket.socket, netwright: int | None) -> None:
    """Wait until netwright closes its end or ends itself; a fork of it may keep the socket open."""
    poller = select.poll()
    for descriptor in filter(None, (control.fileno(), netwright)):
        poller.register(descriptor, select.POLLIN)
    while all(descriptor == control.fileno() for descriptor, _ in poller.poll()) and control.recv(64):
        continue


def _remove(folder: Path) -> None:
    """Remove a folder in which nothing runs any more, even where its owner may not look."""
    for place, folders, _ in os.walk(folder):
        for path in (Path(place) / name for name in folders):
            if not path.is_symlink():
                with suppress(OSError):
                    path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _receive(control: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        chunk = control.recv(size - len(received))
        if not chunk:
            raise ConnectionError("netwright ended before it gave its order")
        received += chunk
    return received
