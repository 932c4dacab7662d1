"""Workspaces, and reading what caged programs left in them."""

import os
from pathlib import Path

import pytest

from netwright.errors import NetwrightError, UserError
from netwright.sandbox import check_workspace, open_inside, run, safe_read


def test_a_workspace_is_a_folder_that_exists(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        check_workspace(tmp_path / "missing")
    with pytest.raises(UserError, match="is not a folder"):
        check_workspace(tmp_path / "file")
    with pytest.raises(UserError, match=f"is a symbolic link; name {tmp_path} itself"):
        check_workspace(tmp_path / "link")
    assert check_workspace(tmp_path) == tmp_path.resolve()


def test_a_home_folder_is_no_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    (tmp_path / "user" / "project").mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "user", Path("/")):
        with pytest.raises(UserError, match="cannot be a workspace"):
            check_workspace(folder)
    assert check_workspace(tmp_path / "user" / "project")


def test_a_folder_that_cannot_be_written_is_no_workspace(workspace: Path) -> None:
    workspace.chmod(0o555)
    with pytest.raises(UserError, match="cannot be written"):
        run(["true"], workspace=workspace)


def test_a_file_inside_is_read(workspace: Path) -> None:
    (workspace / "folder").mkdir()
    (workspace / "folder" / "file").write_bytes(b"text")
    assert safe_read(workspace, "folder/file") == b"text"
    with open_inside(workspace, Path("folder") / "file") as file:
        assert file.read() == b"text"


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "link", "folder/secret", "pipe", "sub", "missing", ""])
def test_nothing_else_is_read(workspace: Path, name: str) -> None:
    (workspace.parent / "secret").write_text("secret")
    (workspace / "link").symlink_to("../secret")
    (workspace / "folder").symlink_to("..")
    (workspace / "sub").mkdir()
    os.mkfifo(workspace / "pipe")
    with pytest.raises(NetwrightError, match=r"does not lie in|cannot open"):
        safe_read(workspace, name)


def test_a_workspace_that_became_a_link_is_not_followed(workspace: Path) -> None:
    (workspace.parent / "elsewhere").mkdir()
    (workspace.parent / "elsewhere" / "file").write_text("secret")
    workspace.rmdir()
    workspace.symlink_to("elsewhere")
    with pytest.raises(NetwrightError, match="cannot open"):
        safe_read(workspace, "file")


def test_a_file_that_is_too_large_is_refused(workspace: Path) -> None:
    (workspace / "file").write_bytes(b"12345")
    assert safe_read(workspace, "file", limit=5) == b"12345"
    with pytest.raises(NetwrightError, match="is too large"):
        safe_read(workspace, "file", limit=4)
