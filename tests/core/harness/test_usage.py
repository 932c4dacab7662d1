"""Tests of counting a worker's processor time from outside."""

import os
import subprocess
import sys

import pytest

from netwright.harness.usage import processor_seconds

SPIN = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
CHILD = (
    f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {SPIN + 'print(flush=True); input()'!r}]).wait()"
)


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
@pytest.mark.parametrize("code", [SPIN + "print(flush=True); input()", CHILD])
def test_a_process_and_its_children_are_counted(code: str) -> None:
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert (processor_seconds(process.pid) or 0) >= 0.25  # user and system time are whole ticks of 10 ms each
        process.communicate(b"\n")
    assert processor_seconds(process.pid) is None


def test_this_process_has_used_some() -> None:
    assert (processor_seconds(os.getpid()) or 0) > 0
