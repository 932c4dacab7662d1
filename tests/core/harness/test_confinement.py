"""Tests of what a candidate's worker may read."""

from pathlib import Path

import pytest

from netwright.cases import CaseOptions
from netwright.harness import Variant
from netwright.harness.confinement import hub_folders, may_use_gpu, readable_paths
from netwright.shipped import shipped_folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with a key and a project in it."""
    folder = tmp_path / "home"
    (folder / "project").mkdir(parents=True)
    (folder / ".netrc").write_text("password")
    (folder / "model.py").write_text("")
    (folder / "project" / "variant.py").write_text("")
    for name in ("XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE", "TORCH_HOME", "NETWRIGHT_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    return folder


def shown(case: str, target: str) -> set[Path]:
    return set(readable_paths(case, Variant(label="mine", target=target)))


def test_the_folders_of_case_and_variant_and_the_shipped_cases_are_shown(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home / "project")
    model = home.parent / "elsewhere" / "model.py"
    model.parent.mkdir()
    model.write_text("")
    paths = shown(f"script:{model}:Model", "variant.py:build")
    assert {home / "project", model.parent, shipped_folder("cases")} <= paths


def test_of_a_home_folder_only_python_files_are_shown(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    paths = shown("script:model.py:Model", "project/variant.py:build")
    assert {home / "model.py", home / "project"} <= paths
    assert home not in paths
    assert home / ".netrc" not in paths


def test_weights_from_hubs_are_shown_and_their_keys_are_not(home: Path) -> None:
    hub = home / ".cache" / "huggingface" / "hub"
    hub.mkdir(parents=True)
    paths = shown("digits_cnn", "variant.py:build")
    assert hub in paths
    assert hub.parent not in paths
    assert hub_folders()["HF_HUB_CACHE"] == hub


@pytest.mark.parametrize(("device", "gpu"), [("cpu", False), ("cuda", True), ("cuda:1", True), ("auto", True)])
def test_gpus_are_shown_to_what_may_run_on_them(device: str, gpu: bool) -> None:
    assert may_use_gpu(CaseOptions(device=device)) is gpu
