"""Files written whole, logs, checksums and names."""

import hashlib
import json
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netwright.errors import UserError
from netwright.files import (
    append_json_line,
    cache_folder,
    content_key,
    file_checksum,
    replace_file,
    slug,
    utc_now,
    write_json,
    write_text,
)

WRITE_FOREVER = """
import sys
from pathlib import Path
from netwright.files import write_json
path = Path(sys.argv[1])
while True:
    for letter in "ab":
        write_json(path, [letter] * 20000)
        print(letter, flush=True)
"""

FILL_THE_DISK = """
import resource, sys
from pathlib import Path
from netwright.errors import UserError
from netwright.files import write_text
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_text(Path(sys.argv[1]), "x" * 100_000)
except UserError as error:
    print(error)
"""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    write_text(path, "first")
    write_text(path, "zweites ü")
    assert path.read_text(encoding="utf-8") == "zweites ü"
    assert os.listdir(path.parent) == ["file.txt"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    def write_half(temporary: Path) -> None:
        temporary.write_text("half")
        raise ZeroDivisionError

    path = tmp_path / "file.txt"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), replace_file(path) as temporary:
        write_half(temporary)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_a_file_is_readable_as_the_users_mask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "file", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_a_kill_leaves_no_half_written_file(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    for writes in (1, 2, 5):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITE_FOREVER, str(path)], stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert writer.stdout is not None
        for _ in range(writes):
            assert writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        letters = json.loads(path.read_text())
        assert letters in (["a"] * 20000, ["b"] * 20000)


def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_text(path, "old")
    answer = subprocess.run(
        [sys.executable, "-c", FILL_THE_DISK, str(path)], capture_output=True, text=True, check=True
    )
    assert answer.stdout.startswith(f"cannot write {path}; file too large; free some space")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*; (file exists|not a directory); free some space"):
        write_text(tmp_path / "file" / "below", "x")
    with pytest.raises(UserError, match="cannot write"):
        append_json_line(tmp_path / "absent" / "log.jsonl", {})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(value=JSON)
def test_json_reads_back(tmp_path: Path, value: object) -> None:
    path = tmp_path / "value.json"
    write_json(path, value)
    assert json.loads(path.read_text(encoding="utf-8")) == value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(values=st.lists(JSON, max_size=5))
def test_a_log_holds_one_line_per_record(tmp_path: Path, values: list[object]) -> None:
    path = tmp_path / "log.jsonl"
    path.unlink(missing_ok=True)
    for value in values:
        append_json_line(path, value)
    lines = path.read_bytes().decode().split("\n")[:-1] if values else []
    assert [json.loads(line) for line in lines] == values


def test_a_record_after_a_torn_line_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"a": 1}\n{"b": ')
    append_json_line(path, {"c": 3})
    assert path.read_bytes() == b'{"a": 1}\n{"b": \n{"c":3}\n'


def test_a_log_takes_what_json_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    append_json_line(path, {"loss": float("nan"), "path": Path("x"), "kind": {1}})
    assert json.loads(path.read_text()) == {"loss": "NaN", "path": "x", "kind": [1]}


def test_a_checksum_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"netwright")
    assert file_checksum(tmp_path / "file") == hashlib.sha256(b"netwright").hexdigest()


@given(st.dictionaries(st.text(), st.integers() | st.text(), max_size=6))
def test_equal_values_have_equal_keys(values: dict[str, object]) -> None:
    backwards = dict(reversed(values.items()))
    assert content_key(values, "x") == content_key(backwards, "x")
    assert content_key(values, "x") != content_key(values, "y")


def test_a_content_key_is_the_same_in_every_process() -> None:
    program = "from netwright.files import content_key; print(content_key({'b': [1, 2.5], 'a': None}))"
    keys = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert keys == {content_key({"a": None, "b": [1, 2.5]}) + "\n"}


@given(st.text(max_size=300))
def test_a_slug_is_one_folder_name(text: str) -> None:
    name = slug(text)
    assert re.fullmatch(r"[A-Za-z0-9._=,+-]*", name)
    assert len(name) <= 120
    assert name not in (".", "..")
    assert slug(name) == name


def test_long_names_stay_apart() -> None:
    assert slug("a" * 200) != slug("a" * 201)
    assert slug("timm:resnet18") == "timm-resnet18"


def test_the_cache_lies_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("NETWRIGHT_CACHE", raising=False)
    assert cache_folder("data") == tmp_path / "xdg" / "netwright" / "data"
    monkeypatch.setenv("NETWRIGHT_CACHE", str(tmp_path / "own"))
    assert cache_folder("data") == tmp_path / "own" / "data"


def test_stamps_are_in_utc() -> None:
    offset = utc_now().utcoffset()
    assert offset is not None
    assert offset.total_seconds() == 0
