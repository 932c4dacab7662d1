"""A finished run's folder, and the means to read its page."""

from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from netwright.result import Result
from netwright.runfolder import RunFolder

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text; complains about tags that do not nest."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] != "style":
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of that name."""
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def read_page() -> Callable[[str], Page]:
    return Page


@pytest.fixture
def leave_run(tmp_path: Path) -> Callable[..., RunFolder]:
    """A function that leaves a run's folder with a result of the given fields."""

    def leave(**fields: object) -> RunFolder:
        values = {
            "status": "ok",
            "agent": "pruner",
            "case": "digits_cnn",
            "config": {"agent": {"name": "pruner"}, "seed": 7},
            "config_hash": "0123456789abcdef",
            "seed": 7,
            "started": datetime(2026, 11, 20, 14, 3, 22, tzinfo=UTC),
            "duration_s": 192.0,
        }
        folder = RunFolder(tmp_path / "run")
        folder.write_result(Result.model_validate({**values, **fields}))
        return folder

    return leave
