"""The launcher and the forker."""

import os
import signal
from pathlib import Path

import pytest

from netwright.sandbox import run
from netwright.sandbox.launcher import launcher


def forkers() -> list[int]:
    """The children of this process that fork supervisors."""
    tasks = Path(f"/proc/{os.getpid()}/task").iterdir()
    children = [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
    return [pid for pid in children if b"netwright.sandbox.forker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_one_forker_serves_all_and_is_replaced_when_it_is_killed(workspace: Path) -> None:
    assert run(["true"], workspace=workspace).ok
    assert run(["true"], workspace=workspace).ok
    (first,) = forkers()
    os.kill(first, signal.SIGKILL)
    assert run(["true"], workspace=workspace).ok
    (second,) = forkers()
    assert second != first
    launcher.forget()
    assert forkers() == []


def test_the_forker_needs_nothing_but_the_standard_library(workspace: Path) -> None:
    assert run(["true"], workspace=workspace).ok
    (forker,) = forkers()
    assert "site-packages" not in Path(f"/proc/{forker}/maps").read_text()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_of_netwright_gets_a_forker_of_its_own(workspace: Path) -> None:
    assert run(["true"], workspace=workspace).ok
    child = os.fork()
    if child == 0:
        done = run(["true"], workspace=workspace).ok
        (own,) = forkers()
        launcher.forget()
        os._exit(0 if done and own else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert len(forkers()) == 1
