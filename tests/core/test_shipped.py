"""The folders that netwright ships."""

from pathlib import Path

import pytest

from netwright import shipped
from netwright.shipped import shipped_folder


def test_checkout_has_the_shipped_case() -> None:
    assert (shipped_folder("cases") / "digits_cnn" / "manifest.yaml").is_file()


def test_installed_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "_PACKAGE", tmp_path / "core" / "netwright")
    assert shipped_folder("conf") == tmp_path / "conf"
    installed = tmp_path / "core" / "netwright" / "_shipped" / "conf"
    installed.mkdir(parents=True)
    assert shipped_folder("conf") == installed
