"""Landlock's ruleset, for every version of its interface."""

import struct
from pathlib import Path

import pytest

from netwright.sandbox.landlock import list_rules, pack_ruleset
from netwright.sandbox.reach import Reach


@pytest.mark.parametrize(("version", "length"), [(1, 1), (3, 1), (4, 2), (5, 2), (6, 3), (7, 3), (99, 3)])
def test_the_attributes_are_those_of_the_version(version: int, length: int) -> None:
    assert len(pack_ruleset(version, network=False)) == 8 * length


def test_an_allowed_network_leaves_files_and_signals_confined() -> None:
    files, network, scopes = struct.unpack("=3Q", pack_ruleset(6, network=True))
    assert files
    assert network == 0
    assert scopes == 2
    assert struct.unpack("=3Q", pack_ruleset(6, network=False))[1:] == (3, 3)


def test_files_have_no_rights_of_folders(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    rules = dict(list_rules(7, Reach(readable=(f"{tmp_path}/file",), writable=(str(tmp_path),))))
    read_dir, make_regular = 1 << 3, 1 << 8
    assert not rules[f"{tmp_path}/file"] & read_dir
    assert rules[str(tmp_path)] & make_regular
    assert not rules["/proc"] & make_regular
