"""Probes: what only trying tells about a machine. Each returns None when it works, else why it does not."""

import ctypes
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from netwright.errors import UserError
from netwright.files import replace_file

EXTENSION = '#include <Python.h>\n#include <vector>\nextern "C" int answer() { return std::vector<int>(42).size(); }\n'
LANDLOCK_CREATE_RULESET = 444
LANDLOCK_VERSION_FLAG = 1
SECONDS = 60


def cpp_compiler() -> list[str]:
    """The command of the C++ compiler that torch.compile calls: $CXX, else the system's own."""
    return shlex.split(os.environ.get("CXX", "")) or ["clang++" if sys.platform == "darwin" else "g++"]


def compile_extension() -> str | None:
    """Compile what torch.compile compiles for a CPU: a shared library with Python's headers and OpenMP."""
    command = cpp_compiler()
    if shutil.which(command[0]) is None:
        return f"there is no {command[0]}"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "extension.cpp"
        source.write_text(EXTENSION, encoding="utf-8")
        flags = ["-shared", "-fPIC", "-fopenmp", "-std=c++17", f"-I{sysconfig.get_path('include')}"]
        return failure_of([*command, *flags, str(source), "-o", str(Path(folder) / "extension.so")])


def landlock_version() -> int:
    """The version of the kernel's Landlock interface; 0 where there is none."""
    if platform.system() != "Linux":
        return 0
    call = ctypes.CDLL(None, use_errno=True).syscall
    return max(0, int(call(LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_VERSION_FLAG)))


def write_into(folder: Path) -> str | None:
    """Write a file into a folder, made when missing, and take it away again."""
    path = folder / ".probe"
    try:
        with replace_file(path) as temporary:
            temporary.write_bytes(b"probe")
        path.unlink()
    except (UserError, OSError) as error:
        return error.why if isinstance(error, UserError) else str(error.strerror).lower()
    return None


def free_space(folder: Path) -> int:
    """Free bytes on the disk that holds `folder`, or will hold it."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def failure_of(command: list[str]) -> str | None:
    """Run a command; None when it ends well, else the line of its complaint that names an error, or the last."""
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if answer.returncode == 0:
        return None
    lines = answer.stderr.strip().splitlines() or [f"it ends with {answer.returncode}"]
    return next((line for line in lines if "error" in line.lower()), lines[-1])
