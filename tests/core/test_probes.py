"""Probes of the machine."""

import os
import stat
from pathlib import Path

import pytest

from netwright.probes import compile_extension, cpp_compiler, failure_of, free_space, landlock_version, write_into


def install(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command = folder / name
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


def test_the_compiler_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "ccache g++-14")
    assert cpp_compiler() == ["ccache", "g++-14"]
    monkeypatch.delenv("CXX")
    assert cpp_compiler()[0] in ("g++", "clang++")


def test_a_compiler_that_is_absent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert compile_extension() == "there is no no-such-compiler"


def test_a_compiler_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "echo 'in file included'; echo 'x.cpp:1: fatal error: Python.h: no such file' >&2; echo 'bye' >&2; exit 1"
    install(tmp_path, "broken-compiler", script, monkeypatch)
    monkeypatch.setenv("CXX", "broken-compiler")
    assert compile_extension() == "x.cpp:1: fatal error: Python.h: no such file"


def test_a_compiler_that_works_has_nothing_to_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "compiler", "exit 0", monkeypatch)
    monkeypatch.setenv("CXX", "compiler")
    assert compile_extension() is None


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("exit 0", None),
        (
            "echo 'tool: No permissions to create new namespace' >&2; exit 1",
            "tool: No permissions to create new namespace",
        ),
        ("exit 3", "it ends with 3"),
    ],
)
def test_a_command_that_fails_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, problem: str | None
) -> None:
    install(tmp_path, "tool", script, monkeypatch)
    assert failure_of(["tool"]) == problem


def test_landlock_has_a_version_or_none() -> None:
    assert landlock_version() >= 0


def test_writing_leaves_nothing_behind(tmp_path: Path) -> None:
    assert write_into(tmp_path / "new") is None
    assert list((tmp_path / "new").iterdir()) == []


def test_a_folder_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert write_into(tmp_path / "file" / "below") == "not a directory"


def test_space_is_that_of_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    assert free_space(tmp_path / "not" / "yet") > 0
