"""The workspace: the folder that a caged program may write, and how to read there without being led out."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from netwright.errors import NetwrightError, UserError
from netwright.sandbox.reach import is_narrow

READ_LIMIT = 64 << 20
REMEDY = "name an existing folder of its own, such as workspace=sandbox"


def check_workspace(workspace: Path) -> Path:
    """The workspace, resolved.

    Raises:
        UserError: It does not exist, is no folder, is a symbolic link, cannot be written, or holds the user's home.
    """
    if workspace.is_symlink():
        raise UserError(f"the workspace {workspace} is a symbolic link", remedy=f"name {workspace.resolve()} itself")
    if not workspace.exists():
        raise UserError(f"the workspace {workspace} does not exist", remedy=REMEDY)
    if not workspace.is_dir():
        raise UserError(f"the workspace {workspace} is not a folder", remedy=REMEDY)
    found = workspace.resolve()
    if not is_narrow(found):
        why = "a sandboxed program could change all that lies below it"
        raise UserError(f"{found} cannot be a workspace", why=why, remedy="make a folder in it")
    if not _is_writable(found.stat()):
        raise UserError(f"the workspace {found} cannot be written", why="it belongs to another user")
    return found


@contextmanager
def open_inside(folder: Path, name: str | Path) -> Iterator[BinaryIO]:
    """Open a regular file in a folder that a caged program wrote, for reading, without following any link.

    Args:
        folder: The workspace.
        name: The file's path relative to it.

    Raises:
        NetwrightError: The path leads out, a part of it is a link, or it is no regular file.
    """
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or PurePosixPath(name).is_absolute():
        raise NetwrightError(f"'{name}' does not lie in {folder}")
    try:
        descriptor = _descend(folder, parts)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise NetwrightError(f"cannot open '{name}' in {folder}", why=why) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NetwrightError(f"cannot open '{name}' in {folder}", why="it is no regular file")
    with os.fdopen(descriptor, "rb") as file:
        yield file


def safe_read(folder: Path, name: str | Path, *, limit: int = READ_LIMIT) -> bytes:
    """The content of a file in a folder that a caged program wrote; see `open_inside`.

    Raises:
        NetwrightError: As `open_inside`, or the file has more than `limit` bytes.
    """
    with open_inside(folder, name) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise NetwrightError(f"'{name}' in {folder} is too large", why=f"it has more than {limit} bytes")
    return content


def _descend(folder: Path, parts: tuple[str, ...]) -> int:
    """Open a file one folder after the other, each relative to the last one, so that no link is followed."""
    through = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_DIRECTORY
    current = os.open(folder, through)
    for part in parts[:-1]:
        try:
            following = os.open(part, through, dir_fd=current)
        finally:
            os.close(current)
        current = following
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe must not make us wait
        return os.open(parts[-1], flags, dir_fd=current)
    finally:
        os.close(current)


def _is_writable(facts: os.stat_result) -> bool:
    """Whether a program without privileges that runs as this user may write a folder with these facts."""
    if facts.st_uid == os.geteuid():
        return bool(facts.st_mode & stat.S_IWUSR)
    if facts.st_gid in {os.getegid(), *os.getgroups()}:
        return bool(facts.st_mode & stat.S_IWGRP)
    return bool(facts.st_mode & stat.S_IWOTH)
