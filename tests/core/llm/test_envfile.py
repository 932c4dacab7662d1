"""Variables of `.env` files."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netwright.llm.envfile import env_files, read_env_file, read_env_files

LINES = r"""
# a comment
PLAIN=value
export EXPORTED = spaced out   # with a comment
SINGLE='literal $HOME \n # no comment'
DOUBLE="two\nlines \"quoted\""  # yes
HASH=a#b
EMPTY=
not a line
1BAD=x
LAST=1
LAST=2"""


def test_lines_are_read(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(LINES)
    assert read_env_file(file) == {
        "PLAIN": "value",
        "EXPORTED": "spaced out",
        "SINGLE": r"literal $HOME \n # no comment",
        "DOUBLE": 'two\nlines "quoted"',
        "HASH": "a#b",
        "EMPTY": "",
        "LAST": "2",
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8", exclude_characters="\r")))
def test_any_text_survives_in_double_quotes(tmp_path: Path, text: str) -> None:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    (tmp_path / ".env").write_text(f'A="{escaped}"\nB=1\n', encoding="utf-8", newline="")
    assert read_env_file(tmp_path / ".env")["A"] == text


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_no_file_and_no_text_hold_nothing(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / ".env").write_bytes(content)
    assert read_env_file(tmp_path / ".env") == {}


def test_the_first_folder_wins(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / ".env").write_text("A=work")
    (tmp_path / ".env").write_text("A=here\nB=here")
    files = env_files(tmp_path / "work", tmp_path, tmp_path)
    assert len(files) == 2
    assert read_env_files(files) == {"A": "work", "B": "here"}
