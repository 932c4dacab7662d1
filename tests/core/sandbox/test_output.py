"""The output of a caged program."""

import os
from pathlib import Path

from netwright.sandbox.output import HEAD_BYTES, KEPT_FILES, TAIL_BYTES, Output


def collect(folder: Path, content: bytes, limit: int | None = None) -> Output:
    source = folder / "source"
    source.write_bytes(content)
    descriptor = os.open(source, os.O_RDONLY)
    with Output(folder / "spill", limit) as output:
        while output.take(descriptor):
            pass
    os.close(descriptor)
    return output


def test_a_short_one_is_kept_whole_in_memory(tmp_path: Path) -> None:
    content = b"x" * (HEAD_BYTES + TAIL_BYTES)
    output = collect(tmp_path, content)
    assert output.text() == content.decode()
    assert output.file is None
    assert not (tmp_path / "spill").exists()


def test_a_long_one_keeps_head_and_tail_and_is_spilled_whole(tmp_path: Path) -> None:
    content = b"head" + b"x" * 500_000 + b"tail"
    output = collect(tmp_path, content)
    assert output.file is not None
    assert output.file.read_bytes() == content
    text = output.text()
    assert text.startswith("head")
    assert text.endswith("tail")
    assert str(output.file) in text
    assert f"{len(content) - HEAD_BYTES - TAIL_BYTES} bytes left out" in text


def test_the_limit_bounds_what_is_taken(tmp_path: Path) -> None:
    output = collect(tmp_path, b"x" * 300_000, limit=200_000)
    assert output.is_full
    assert output.size == 200_000
    assert output.file is not None
    assert output.file.stat().st_size == 200_000


def test_old_files_make_room(tmp_path: Path) -> None:
    for _ in range(KEPT_FILES + 3):
        collect(tmp_path, b"x" * (HEAD_BYTES + TAIL_BYTES + 1))
    assert len(list((tmp_path / "spill").iterdir())) == KEPT_FILES
