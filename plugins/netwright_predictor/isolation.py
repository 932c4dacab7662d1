"""Isolation: one child process per item, so that none that crashes, hangs or eats memory ends the others."""

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Generic, TypeVar

ValueT = TypeVar("ValueT")
PRELOADED = ("netwright_predictor.predictor",)
"""What every child has imported already when it starts."""


@dataclass(frozen=True)
class Outcome(Generic[ValueT]):
    """What became of one item.

    Attributes:
        value: What the work returned; None where it failed.
        failure: Why, in one line.
        seconds: How long it took.
    """

    value: ValueT | None
    failure: str | None
    seconds: float


@dataclass(frozen=True)
class Running:
    """A child at work."""

    item: str
    process: ForkServerProcess
    started: float


def run_isolated(
    work: Callable[[str], ValueT],
    items: Sequence[str],
    *,
    workers: int,
    seconds: float,
    memory: int,
    preload: Sequence[str] = PRELOADED,
) -> Iterator[tuple[str, Outcome[ValueT]]]:
    """Do the work for every item, each in a child process of its own; items come as they are done.

    Args:
        work: Importable by name, and so is what it is made of; what it returns is pickled.
        workers: Children at once.
        seconds: After which a child is ended.
        memory: Bytes that a child may allocate beyond those that it starts with.
        preload: Modules that every child has imported already when it starts.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    waiting = deque(items)
    running: dict[Connection, Running] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                item = waiting.popleft()
                receiver, sender = context.Pipe(duplex=False)
                process = context.Process(target=_serve, args=(work, item, memory, sender), daemon=True)
                process.start()
                sender.close()
                running[receiver] = Running(item, process, time.perf_counter())
            next_deadline = min(each.started for each in running.values()) + seconds
            ready = connection.wait(list(running), timeout=max(0.0, next_deadline - time.perf_counter()))
            now = time.perf_counter()
            late = [each for each, child in running.items() if each not in ready and now > child.started + seconds]
            for receiver in [each for each in running if each in ready or each in late]:
                child = running.pop(receiver)
                yield child.item, _outcome(receiver, child, seconds, is_late=receiver in late)
    finally:
        for receiver, child in running.items():
            _end(receiver, child.process)


def _outcome(receiver: Connection, child: Running, seconds: float, *, is_late: bool) -> Outcome[ValueT]:
    value: ValueT | None = None
    failure: str | None = f"took more than {seconds:g} s"
    if not is_late:
        try:
            value, failure = receiver.recv()
        except EOFError:
            child.process.join()
            failure = _death(child.process.exitcode)
    took = time.perf_counter() - child.started
    _end(receiver, child.process)
    return Outcome(value, failure, took)


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        return f"the process died of {signal.Signals(-code).name}"
    return f"the process ended with code {code}"


def _end(receiver: Connection, process: ForkServerProcess) -> None:
    process.kill()
    process.join()
    receiver.close()


def _serve(work: Callable[[str], object], item: str, memory: int, sender: Connection) -> None:
    """The child: silent, within its memory, and with whatever goes wrong as one line."""
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    _limit(memory)
    answer: tuple[object, str | None]
    try:
        answer = (work(item), None)
    except Exception as error:  # a stranger's model may raise anything
        answer = (None, " ".join(f"{type(error).__name__}: {error}".rstrip(": ").split()))
    sender.send(answer)


def _limit(memory: int) -> None:
    """Refuse memory beyond what this process has mapped now and `memory` bytes more, where the system can."""
    try:
        import resource
        from pathlib import Path

        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + memory, resource.RLIM_INFINITY))
    except (ImportError, OSError, ValueError):
        return
