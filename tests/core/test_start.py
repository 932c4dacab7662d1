"""Tests of how netwright's processes start."""

import subprocess
import sys
from pathlib import Path

from netwright.start import NEW_OBJECTS

MODULE = """\
import gc


def main(*arguments):
    print(gc.get_threshold()[0], arguments)
"""


def test_a_process_calls_its_module_and_looks_for_garbage_rarely(project: Path) -> None:
    (project / "mine.py").write_text(MODULE)
    command = [sys.executable, "-m", "netwright.start", "mine", "7", "folder"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    assert done.stdout == f"{NEW_OBJECTS} (7, 'folder')\n"
