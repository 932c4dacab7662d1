"""The three forms of a program."""

from pathlib import Path

import pytest

from netwright.errors import UserError
from netwright.sandbox import Function, Source, run

MODULE = """
import os
from pathlib import Path

def double(x):
    print("doubling")
    return {"twice": [2 * x, str(x)], "folder": os.getcwd()}

def bad():
    return object()

def fails():
    raise ValueError("no good")

number = 3
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "code" / "functions.py"
    path.parent.mkdir()
    path.write_text(MODULE)
    return path


def test_a_command_line_runs_in_its_workspace(workspace: Path) -> None:
    (workspace / "file").write_text("")
    done = run(["sh", "-c", "ls; pwd; echo complaint >&2"], workspace=workspace)
    assert done.ok
    assert done.output.splitlines() == ["file", str(workspace), "complaint"]


def test_a_program_of_the_workspace_runs(workspace: Path) -> None:
    (workspace / "tool").write_text("#!/bin/sh\necho $1\n")
    (workspace / "tool").chmod(0o755)
    assert run(["./tool", "hello"], workspace=workspace).output == "hello\n"


def test_a_program_that_is_not_there_is_named(workspace: Path) -> None:
    for argv in (["no-such-program"], ["./no-such-program"], []):
        with pytest.raises(UserError, match="there is no program named"):
            run(argv, workspace=workspace)


def test_source_finds_modules_of_the_workspace_and_of_this_process(workspace: Path) -> None:
    (workspace / "beside.py").write_text("name = 'beside'")
    done = run(Source("import beside, netwright.errors, json\nprint(beside.name, json.__name__)"), workspace=workspace)
    assert done.output == "beside json\n"


def test_a_function_of_a_module_is_called(workspace: Path) -> None:
    done = run(Function("json:dumps", {"obj": {"a": 1}}), workspace=workspace)
    assert done.value == '{"a": 1}'


def test_a_function_of_a_file_is_called(workspace: Path, script: Path) -> None:
    done = run(Function(f"{script}:double", {"x": 21}), workspace=workspace)
    assert done.value == {"twice": [42, "21"], "folder": str(workspace)}
    assert done.output == "doubling\n"


def test_a_function_that_raises_fails_with_its_traceback(workspace: Path, script: Path) -> None:
    done = run(Function(f"{script}:fails"), workspace=workspace)
    assert done.reason == "failed"
    assert "ValueError: no good" in done.output
    assert done.value is None


@pytest.mark.parametrize(
    ("name", "words"),
    [("bad", "not JSON serializable"), ("number", "is no function"), ("duble", "did you mean 'double'")],
)
def test_what_is_no_such_function_fails_and_says_why(workspace: Path, script: Path, name: str, words: str) -> None:
    done = run(Function(f"{script}:{name}"), workspace=workspace)
    assert done.reason == "failed"
    assert words in done.output


def test_arguments_are_json_values(workspace: Path, script: Path) -> None:
    with pytest.raises(UserError, match="are no JSON values"):
        run(Function(f"{script}:double", {"x": {1, 2}}), workspace=workspace)  # type: ignore[dict-item]
    with pytest.raises(UserError, match="no such file"):
        run(Function("missing.py:double"), workspace=workspace)
