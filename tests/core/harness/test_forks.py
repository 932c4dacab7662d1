import gc
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from netwright.harness import forks
from netwright.harness.forks import ForkedProcess, ForkServer, fork_server
from netwright.harness.process import PlainWorker, prepare_workers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there are no fork servers here")
PROGRAM = "forked_program"
SECONDS = 30.0


def environment(**variables: str) -> Mapping[str, str]:
    path = os.pathsep.join([str(Path(__file__).parent), *(path for path in sys.path if path)])
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **variables}


@pytest.fixture(scope="module")
def server() -> ForkServer:
    return ForkServer(environment(GREETING="hello"))


class Fork:
    def __init__(self, process: ForkedProcess, connection: socket.socket, output: int) -> None:
        self.process, self.output = process, output
        self._connection = connection

    def ask(self, command: str) -> str:
        self.tell(command)
        return self._connection.recv(1 << 10).decode().removesuffix(".")

    def tell(self, command: str) -> None:
        self._connection.send(command.encode())


@contextmanager
def split_off(server: ForkServer) -> Iterator[Fork]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    reading, writing = os.pipe()
    with ours, theirs:
        process = server.fork(PROGRAM, theirs, writing)
        os.close(writing)
        theirs.close()
        ours.settimeout(SECONDS)
        yield Fork(process, ours, reading)
        process.kill(SECONDS)
    os.close(reading)


def is_running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_a_fork_finds_what_a_new_process_would(
    server: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with split_off(server) as fork:
        assert fork.ask("variable GREETING") == "hello"
        assert fork.ask("folder") == str(tmp_path)
        assert fork.ask("group") == "True"
        assert fork.ask("imported torch") == "True"


def test_variables_that_imports_set_are_not_handed_on(server: ForkServer) -> None:
    server.prepare("torch._inductor.runtime.cache_dir_utils")
    with split_off(server) as fork:
        assert fork.ask("variable TORCHINDUCTOR_CACHE_DIR") == os.environ.get("TORCHINDUCTOR_CACHE_DIR", "")


def test_a_fork_has_no_way_to_the_server(server: ForkServer) -> None:
    with split_off(server) as first, split_off(server) as second:
        assert first.ask("descriptors") == second.ask("descriptors") == "5"  # three, the socket and the folder


def test_modules_are_imported_beforehand(server: ForkServer) -> None:
    with split_off(server) as before:
        server.prepare("a_module_that_is_not_there", "wave")
        with split_off(server) as after:
            assert (before.ask("imported wave"), after.ask("imported wave")) == ("False", "True")


def test_what_a_fork_prints_arrives(server: ForkServer) -> None:
    with split_off(server) as fork:
        fork.ask("print something")
        assert os.read(fork.output, 100) == b"something\n"


def test_how_a_fork_ends_is_known(server: ForkServer) -> None:
    with split_off(server) as fork:
        assert fork.process.wait(0.0) is None
        fork.tell("exit 3")
        assert fork.process.wait(SECONDS) == fork.process.wait(SECONDS) == 3
    with split_off(server) as fork:
        fork.tell("abort")
        assert fork.process.wait(SECONDS) == -signal.SIGABRT
    with split_off(server) as fork:
        fork.tell("an unknown command")
        assert fork.process.wait(SECONDS) == 1
        assert b"ValueError: an unknown command" in os.read(fork.output, 10_000)


def test_a_fork_that_is_killed_is_gone(server: ForkServer) -> None:
    with split_off(server) as fork:
        pid = fork.process.pid
        assert is_running(pid)
        fork.process.kill(SECONDS)
        assert not is_running(pid)


def test_a_server_lives_as_long_as_its_forks_are_of_use() -> None:
    server = ForkServer(environment())
    with split_off(server) as fork:
        pid = int(fork.ask("parent"))
        del server
        gc.collect()
        assert is_running(pid)
        assert fork.ask("group") == "True"
        del fork
    gc.collect()
    assert not is_running(pid)


def test_forks_end_with_their_server() -> None:
    server = ForkServer(environment())
    with split_off(server) as fork:
        os.kill(int(fork.ask("parent")), signal.SIGKILL)
        assert fork.process.wait(SECONDS) == -signal.SIGKILL
    with pytest.raises(OSError, match=r"Broken pipe|Connection"), split_off(server):
        pass


def test_one_server_serves_one_environment() -> None:
    first = fork_server(environment(NUMBER="1"))
    assert first is fork_server(environment(NUMBER="1"))
    second = fork_server(environment(NUMBER="2"))
    assert second is not None
    assert second is not first
    os.kill(second._process.pid, signal.SIGKILL)
    second._process.wait()
    assert fork_server(environment(NUMBER="2")) is not second


def test_workers_start_without_a_server_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks.sys, "platform", "darwin")
    prepare_workers("wave")
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        worker = PlainWorker(theirs, {"GREETING": "good day"}, cuda=False, module=PROGRAM)
        worker.kill()
    assert worker.exit_code() == -signal.SIGKILL
