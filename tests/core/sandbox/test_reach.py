"""What a caged program reaches."""

import sys
from pathlib import Path

import pytest

from netwright.sandbox.reach import find_reach, is_narrow


def test_the_interpreter_is_shown_and_the_home_folder_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    (home / "code").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(sys, "path", ["", str(home), str(home / "code"), str(tmp_path / "missing")])
    reach = find_reach()
    assert str(Path(sys.base_prefix).resolve()) in reach.readable
    assert str(home / "code") in reach.readable
    assert str(home) not in reach.readable
    assert str(tmp_path / "missing") not in reach.readable
    assert not is_narrow("/")
    assert not is_narrow(home.parent)


def test_links_to_what_is_asked_for_are_shown(tmp_path: Path) -> None:
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    reach = find_reach(readable=[tmp_path / "link" / "inner"])
    assert str(tmp_path / "real" / "inner") in reach.readable
    assert (str(tmp_path / "link"), "real") in reach.links


def test_devices_are_shown_for_cuda_only() -> None:
    assert find_reach().devices == ()
    assert "/sys" in find_reach(cuda=True).readable


def test_paths_that_do_not_exist_are_left_out(tmp_path: Path) -> None:
    assert str(tmp_path / "no") not in find_reach(readable=[tmp_path / "no"]).readable
