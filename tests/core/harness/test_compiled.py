"""The shared cache of compilers: one folder for a block, and copies for cages."""

import os
from pathlib import Path

from netwright.harness.compiled import VARIABLE, copied_compiler_cache, shared_compiler_cache


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
