"""What tests of the cage share: a workspace, and finding what a caged program left running."""

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

MARK = "NETWRIGHT_TEST_MARK"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """An empty workspace; spilled output lies elsewhere."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


@pytest.fixture
def mark() -> dict[str, str]:
    """A variable that marks a program and all that it starts."""
    return {MARK: uuid4().hex}


@pytest.fixture
def find_marked(mark: dict[str, str]) -> Callable[[], list[int]]:
    """A function that finds the processes that are marked and not yet ended."""

    def find() -> list[int]:
        text = "=".join(*mark.items()).encode()
        return [
            int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit() and _holds(folder, text)
        ]

    return find


def _holds(folder: Path, text: bytes) -> bool:
    try:
        return text in (folder / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
