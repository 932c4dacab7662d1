"""The environment of a run."""

import getpass
import json
import platform
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import netwright
from netwright.environment import describe_environment, describe_git
from netwright.sandbox import LEVELS

WITHOUT_TORCH = """
import sys
from netwright.environment import describe_environment
environment = describe_environment()
assert "torch" not in sys.modules
print(environment.model_dump_json())
"""


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_versions_hardware_and_plugins_are_there() -> None:
    environment = describe_environment(plugins={"mine": "1.0"})
    assert environment.netwright == netwright.__version__
    assert platform.python_version() in environment.python
    assert environment.plugins == {"mine": "1.0"}
    assert environment.packages["pydantic"]
    assert "ruff" not in environment.packages
    assert environment.cores >= 1
    assert environment.sandbox.partition(":")[0] in (*LEVELS, "none")


def test_torch_is_described_without_being_imported() -> None:
    answer = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, check=True)
    environment = json.loads(answer.stdout)
    assert environment["packages"]["torch"]
    assert environment["torch_threads"] is None
    assert environment["precision"] is None


def test_torch_says_more_when_asked() -> None:
    import torch

    environment = describe_environment(ask_torch=True)
    assert environment.torch_threads == torch.get_num_threads()
    assert environment.cuda == torch.version.cuda


def test_precision_follows_either_of_torchs_switches() -> None:
    import torch

    before = torch.backends.cuda.matmul.fp32_precision
    try:
        torch.backends.cuda.matmul.fp32_precision = "tf32"
        precision = describe_environment().precision
        assert precision is not None
        assert precision.cuda_matmul == "tf32"
    finally:
        torch.backends.cuda.matmul.fp32_precision = before


def test_no_host_user_or_home_is_named() -> None:
    text = describe_environment(ask_torch=True).model_dump_json()
    assert not re.search(rf"\b{re.escape(socket.gethostname())}\b", text)
    assert str(Path.home()) not in text
    if getpass.getuser() != "root":
        assert getpass.getuser() not in text


def test_a_repository_has_a_revision_and_may_be_dirty(tmp_path: Path) -> None:
    git(tmp_path, "init")
    assert describe_git(tmp_path) is None  # no commit yet
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "first")
    clean = describe_git(tmp_path)
    assert clean is not None
    assert len(clean.revision) == 40
    assert not clean.dirty
    (tmp_path / "b").write_text("2")
    dirty = describe_git(tmp_path)
    assert dirty is not None
    assert dirty.dirty


def test_no_repository_and_no_git_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert describe_git(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert describe_git(Path.cwd()) is None
