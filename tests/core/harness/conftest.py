"""Cases and variants of the harness's tests."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Lock, Thread

import pytest

from netwright.cases import Case, CaseOptions, load_case
from netwright.harness import TimingConfig, Variant, arms, proof
from netwright.harness.channel import Channel
from netwright.harness.clock import Clock
from netwright.harness.protocol import Request
from netwright.harness.worker import Answer, Worker, serve

HERE = Path(__file__).parent
TOKENS = {"inputs": {"args": [{"shape": [3, 7], "dtype": "int64", "range": [0, 11]}]}}

MakeCase = Callable[..., Case]
MakeVariant = Callable[[str, str], Variant]


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache that all of the harness's tests share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETWRIGHT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def quick() -> TimingConfig:
    """Timing that is over at once, on one thread."""
    return TimingConfig(min_rounds=2, max_rounds=3, max_seconds=0.1, warm_up_seconds=0.1, threads=1)


@pytest.fixture(scope="session")
def case_name() -> Callable[[str], str]:
    """A function from the name of a class in `models.py` to that of its case."""
    return lambda name: f"script:{HERE / 'models.py'}:{name}"


@pytest.fixture(scope="session")
def model_case(case_name: Callable[[str], str]) -> MakeCase:
    """A function from the name of a class in `models.py` to its case; further arguments are case options."""

    def make(name: str, **options: object) -> Case:
        constants = TOKENS if name == "Embedding" else None
        return load_case(case_name(name), CaseOptions.model_validate({"constants": constants, **options}))

    return make


@pytest.fixture(scope="session")
def local_variant() -> MakeVariant:
    """A function from a file beside this one and the name of a variant in it to that variant."""
    return lambda file, name: Variant(label=name, target=f"{HERE / file}:{name}")


class PatientWorker(Worker):
    """A worker that waits for its turn: those that share a process share its random generators too."""

    _turn = Lock()

    def answer(self, request: Request) -> Answer:
        with self._turn:
            return super().answer(request)


class ThreadedWorker:
    """Stands in for a worker's process: the same worker, at the same channel, in a thread of the test's own process."""

    scratch = None

    def __init__(self, connection: socket.socket, *_: object) -> None:
        self.pid = 0  # none of its own: what this process uses is not the worker's
        own_end = Channel(socket.socket(fileno=os.dup(connection.fileno())))
        self._thread = Thread(target=serve, args=(own_end, PatientWorker(Clock()), lambda: None), daemon=True)
        self._thread.start()

    def exit_code(self) -> int | None:
        return None

    def printed(self) -> list[str]:
        return []

    def kill(self) -> None:
        """It ends by itself when the judge closes the channel."""


@contextmanager
def workers_in_threads() -> Iterator[None]:
    """Inside the block, workers run in threads rather than processes: a fraction of the time, for benign variants."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arms, "start_worker", ThreadedWorker)
        patch.setattr(proof, "TIMER_FACTOR", 100)  # threads wait for each other: the judge's clock tells nothing
        yield


@pytest.fixture
def threaded_workers() -> Iterator[None]:
    """Workers in threads for one test."""
    with workers_in_threads():
        yield


@pytest.fixture(scope="module")
def in_threads() -> Callable[[], AbstractContextManager[None]]:
    """Workers in threads for a block, in fixtures that tests share."""
    return workers_in_threads
