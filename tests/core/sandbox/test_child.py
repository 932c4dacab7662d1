"""Children that run beside netwright."""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from netwright.errors import UserError
from netwright.sandbox import Child, Level, Limits, probe_levels, python_variables, start

WORKING = [probe.level for probe in probe_levels() if probe.works]
TREE = "sh -c 'echo started; sleep 300; :' & setsid sh -c 'echo started; sleep 300; :' & wait"
"""Three shells, of which two say that they run."""
SECONDS = 30.0
PARENT = """
import os, sys
from pathlib import Path
from netwright.sandbox import start
folder, level, mark, script = sys.argv[1:]
child = start(["sh", "-c", script], workspace=Path(folder), level=level, environment=dict([mark.split("=")]))
[child.output.readline() for _ in range(2)]
print(child.pid, child.temporary, flush=True)
child.wait()
"""

every_level = pytest.mark.parametrize("level", WORKING)


def start_tree(workspace: Path, mark: dict[str, str], level: Level | None = None) -> Child:
    """A child of several processes, some in sessions of their own; they run."""
    child = start(["sh", "-c", TREE], workspace=workspace, environment=mark, level=level)
    assert [child.output.readline() for _ in range(2)] == [b"started\n"] * 2
    return child


@every_level
def test_an_inherited_socket_and_the_output_reach_it(workspace: Path, level: Level) -> None:
    ours, theirs = socket.socketpair()
    text = "import socket, sys; s = socket.socket(fileno=int(sys.argv[1])); s.sendall(s.recv(9)[::-1]); print('done')"
    with ours, theirs:
        child = start(
            [sys.executable, "-c", text, str(theirs.fileno())],
            workspace=workspace,
            environment=python_variables(workspace),
            pass_fds=[theirs.fileno()],
            level=level,
        )
        theirs.close()
        with child:
            ours.sendall(b"abc")
            assert ours.recv(9) == b"cba"
            assert ours.recv(9) == b""
            assert child.output.read() == b"done\n"
            assert child.wait(SECONDS).exit_code == 0
            assert child.level == level


@every_level
def test_it_inherits_no_other_descriptor(workspace: Path, level: Level) -> None:
    with open(os.devnull) as given:
        number = given.fileno()
        with start(["ls", "/proc/self/fd"], workspace=workspace, pass_fds=[number], level=level) as child:
            listed = set(child.output.read().split())
    own = next(int(name) for name in sorted(listed, key=int) if int(name) > 2 and int(name) != number)
    assert listed == {b"0", b"1", b"2", str(number).encode(), str(own).encode()}  # its own is that of the listing


@every_level
def test_kill_and_close_leave_nothing(
    workspace: Path, mark: dict[str, str], find_marked: Callable[[], list[int]], level: Level
) -> None:
    with start_tree(workspace, mark, level) as child:
        assert child.poll() is None
        with pytest.raises(TimeoutError):
            child.wait(timeout=0.01)
        assert len(find_marked()) >= 3
        child.kill()
        ended = child.wait(SECONDS)
        assert ended.stopped == "killed"
        assert find_marked() == []
        assert child.poll() == ended
    assert not child.temporary.exists()
    with start_tree(workspace, mark, level) as child:
        pass
    assert find_marked() == []
    assert not child.temporary.exists()


@every_level
def test_everything_ends_when_netwright_is_killed(
    workspace: Path, mark: dict[str, str], find_marked: Callable[[], list[int]], level: Level
) -> None:
    arguments = [str(workspace), level, "=".join(*mark.items()), TREE]
    with subprocess.Popen([sys.executable, "-c", PARENT, *arguments], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        supervisor, temporary = parent.stdout.readline().split()
        handles = [os.pidfd_open(pid) for pid in (int(supervisor), *find_marked())]
        parent.send_signal(signal.SIGKILL)
    assert len(handles) >= 4
    for handle in handles:
        assert select.select([handle], [], [], SECONDS)[0]
        os.close(handle)
    assert find_marked() == []
    assert not Path(temporary).exists()


@pytest.mark.skipif("bubblewrap" not in WORKING, reason="bubblewrap does not work here")
def test_everything_ends_when_the_supervisor_is_killed(
    workspace: Path, mark: dict[str, str], find_marked: Callable[[], list[int]]
) -> None:
    with start_tree(workspace, mark, "bubblewrap") as child:
        handles = [os.pidfd_open(pid) for pid in find_marked()]
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait(SECONDS).stopped == "killed"
        for handle in handles:
            assert select.select([handle], [], [], SECONDS)[0]
            os.close(handle)
    assert not child.temporary.exists()


def test_several_start_at_once_from_threads(workspace: Path) -> None:
    def echo(number: int) -> bytes:
        with start(["echo", str(number)], workspace=workspace) as child:
            assert child.wait(SECONDS).exit_code == 0
            return child.output.read()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(echo, range(16))) == [b"%d\n" % number for number in range(16)]


def test_a_child_outlives_the_thread_that_started_it(workspace: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        child = pool.submit(start, ["sh", "-c", "read x; echo late"], workspace=workspace).result()
    with child:
        assert child.wait(SECONDS).exit_code == 0
        assert child.output.read() == b"late\n"


def test_polling_does_not_wait_for_a_thread_that_waits(workspace: Path) -> None:
    with start(["sleep", "300"], workspace=workspace) as child, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(child.wait)
        assert child.poll() is None
        child.kill()
        assert waiting.result(SECONDS).stopped == "killed"
    assert child.poll() == waiting.result()
    child.close()


def test_cuda_leaves_the_address_space_alone(workspace: Path) -> None:
    for cuda, expected in ((True, "unlimited"), (False, str(256 << 10))):
        with start(["sh", "-c", "ulimit -d"], workspace=workspace, limits=Limits(memory_mib=256), cuda=cuda) as child:
            assert child.output.read().decode().strip() == expected


def test_nothing_is_left_of_a_start_that_is_refused(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    with pytest.raises(UserError, match="no program"):
        start(["no-such-program"], workspace=workspace)
    with pytest.raises(UserError, match="named like a secret"):
        start(["true"], workspace=workspace, environment={"X_TOKEN": "1"})
    assert list((tmp_path / "temporary").iterdir()) == []
