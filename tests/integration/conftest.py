"""An installation as a user has it: a wheel in a virtual environment of its own, with the example plugin beside it."""

import os
import site
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Installation:
    """A virtual environment that holds netwright and netwright-hello as wheels, and borrows all other packages."""

    folder: Path

    def run(self, *command: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command with this environment's `bin` first on the path, 80 columns wide."""
        environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        environment |= {
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "NETWRIGHT_CACHE": str(self.folder / "cache"),
            "COLUMNS": "80",
            "NO_COLOR": "1",
        }
        return subprocess.run(
            command, cwd=cwd, env=environment | variables, capture_output=True, text=True, check=False
        )


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Build both wheels without isolation and install them without dependencies, so that it takes seconds."""
    folder = tmp_path_factory.mktemp("installation")
    wheels = folder / "wheels"
    sources = [REPOSITORY, REPOSITORY / "examples" / "netwright-hello"]
    _pip("wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", str(wheels), *map(str, sources))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    (packages,) = (folder / "venv").glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text("\n".join(site.getsitepackages()))
    python = str(folder / "venv" / "bin" / "python")
    _pip("--python", python, "install", "--no-deps", "--no-index", *map(str, wheels.glob("*.whl")))
    return Installation(folder / "venv")


@pytest.fixture
def run_installed(installation: Installation, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A function that runs a command of the installation in an empty folder."""

    def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return installation.run(*command, cwd=tmp_path, **variables)

    return run


def _pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
