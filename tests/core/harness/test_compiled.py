"""The shared cache of compilers: one folder for a block, and copies for cages."""

import os
from pathlib import Path

import pytest

from netwright.harness.compiled import (
    VARIABLE,
    _copy_probes,
    copied_compiler_cache,
    precompiled_headers,
    seed_compiler_cache,
    shared_compiler_cache,
)


def test_processes_find_the_folder_only_inside_the_block() -> None:
    before = os.environ.get(VARIABLE)
    with shared_compiler_cache() as folder:
        assert os.environ[VARIABLE] == str(folder)
        assert folder.is_dir()
    assert not folder.exists()
    assert os.environ.get(VARIABLE) == before


def test_a_cage_gets_a_copy_that_changes_nothing(tmp_path: Path) -> None:
    with shared_compiler_cache() as folder:
        (folder / "kernel.cpp").write_text("int x;")
        (own,) = copied_compiler_cache(tmp_path).values()
        assert (Path(own) / "kernel.cpp").read_text() == "int x;"
        (Path(own) / "kernel.cpp").write_text("spoilt")
        assert (folder / "kernel.cpp").read_text() == "int x;"


def test_without_a_shared_cache_there_is_nothing_to_copy(tmp_path: Path) -> None:
    assert copied_compiler_cache(tmp_path) == {}
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own cache, empty."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    folder = precompiled_headers().parent
    folder.mkdir(parents=True)
    return folder


def probe(folder: Path) -> None:
    """What Inductor leaves behind when it has asked whether a vector unit works."""
    (folder / "3e").mkdir()
    for end in (".cpp", ".so", ".so.load_ok"):
        (folder / "3e" / f"c3e{end}").write_text(end)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("c3e*"))


def test_probes_of_the_processor_outlive_the_block(own: Path) -> None:
    with shared_compiler_cache() as folder:
        assert names(folder) == []
        probe(folder)
        (folder / "3e" / "kernel.so").write_text("of this run alone")
    assert names(own) == ["c3e.cpp", "c3e.so", "c3e.so.load_ok"]
    assert not (own / "3e" / "kernel.so").exists()
    with shared_compiler_cache() as folder:
        assert names(folder) == names(own)


def test_a_cage_finds_headers_that_it_cannot_spoil_and_probes(own: Path, tmp_path: Path) -> None:
    probe(own)
    precompiled_headers().mkdir()
    (precompiled_headers() / "cab.h").write_text("#include <vector>")
    (precompiled_headers() / "cab.h.gch").write_text("compiled")
    os.utime(precompiled_headers() / "cab.h.gch", (0, 0))
    (precompiled_headers() / "new.h.gch").write_text("half of")
    seed_compiler_cache(tmp_path / "cage", "somebody")
    folder = tmp_path / "cage" / "torchinductor_somebody"
    assert names(folder) == names(own)
    assert (folder / "precompiled_headers" / "cab.h").read_text() == "#include <vector>"
    compiled = folder / "precompiled_headers" / "cab.h.gch"
    assert [path.name for path in compiled.parent.iterdir() if path.suffix == ".gch"] == ["cab.h.gch"]
    assert compiled.is_symlink()
    assert compiled.read_text() == "compiled"


def test_a_cage_of_a_user_without_a_cache_is_left_empty(own: Path, tmp_path: Path) -> None:
    seed_compiler_cache(tmp_path / "cage", "somebody")
    assert not (tmp_path / "cage").exists()


def test_a_cache_that_lost_files_or_cannot_be_written_is_no_obstacle(own: Path, tmp_path: Path) -> None:
    probe(own)
    (own / "3e" / "c3e.so").unlink()
    (tmp_path / "file").touch()
    with shared_compiler_cache() as folder:
        assert "c3e.so.load_ok" not in names(folder)
    probe_of_another = tmp_path / "other"
    probe_of_another.mkdir()
    probe(probe_of_another)
    _copy_probes(probe_of_another, tmp_path / "file")
    assert (tmp_path / "file").read_text() == ""
