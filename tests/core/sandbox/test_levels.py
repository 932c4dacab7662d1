"""Which level is in force, and what is said of those that are not."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from netwright.errors import UserError
from netwright.sandbox import (
    LEVELS,
    Level,
    SandboxConfig,
    best_level,
    choose_level,
    levels,
    probe_levels,
    run,
    use_sandbox,
)
from netwright.sandbox.levels import Probe

BLOCKED = "bwrap: setting up uid map: Permission denied"


@pytest.fixture
def install_bwrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A function that puts a script in bubblewrap's place."""

    def install(script: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "bwrap").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "bwrap").chmod(0o755)
        monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)

    return install


def probe(level: Level) -> Probe:
    return next(one for one in probe_levels() if one.level == level)


def test_all_levels_are_probed_best_first() -> None:
    probes = probe_levels()
    assert [one.level for one in probes] == list(LEVELS)
    assert best_level() == next(one.level for one in probes if one.works)
    assert all(one.detail for one in probes)


def test_bubblewrap_that_is_blocked_gives_way_to_the_next(
    install_bwrap: Callable[[str], None], workspace: Path
) -> None:
    install_bwrap(f"echo '{BLOCKED}' >&2; exit 1")
    found = probe("bubblewrap")
    assert not found.works
    assert found.detail == BLOCKED
    assert "user namespaces" in found.remedy
    assert best_level() != "bubblewrap"
    assert run(["true"], workspace=workspace).level == best_level()


def test_bubblewrap_that_can_do_without_its_own_proc_is_used(install_bwrap: Callable[[str], None]) -> None:
    install_bwrap('case "$*" in *"--proc /proc"*) exit 1;; esac')
    assert probe("bubblewrap").works
    assert "mounts of its own" in probe("bubblewrap").detail


def test_bubblewrap_that_is_absent_can_be_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert probe("bubblewrap").detail == "there is no bwrap"
    assert "install bubblewrap" in probe("bubblewrap").remedy


def test_a_kernel_without_landlock_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "landlock_version", lambda: 0)
    assert not probe("landlock").works
    monkeypatch.setattr(levels, "filters_sockets", lambda: False)
    for version, more in ((3, ""), (4, ", TCP"), (6, ", TCP, signals, abstract sockets")):
        monkeypatch.setattr(levels, "landlock_version", lambda version=version: version)
        assert probe("landlock").detail == f"files{more} (version {version})"
    monkeypatch.setattr(levels, "filters_sockets", lambda: True)
    assert "files, network" in probe("landlock").detail


def test_a_level_that_does_not_work_is_refused(install_bwrap: Callable[[str], None], workspace: Path) -> None:
    install_bwrap(f"echo '{BLOCKED}' >&2; exit 1")
    for settings, level in ((SandboxConfig(), "bubblewrap"), (SandboxConfig(require="bubblewrap"), None)):
        with use_sandbox(settings), pytest.raises(UserError) as caught:
            run(["true"], workspace=workspace, level=level)  # type: ignore[arg-type]
        assert "'bubblewrap' does not work on this machine; " + BLOCKED in str(caught.value)
        assert caught.value.remedy


def test_a_level_below_the_required_one_is_refused(install_bwrap: Callable[[str], None]) -> None:
    install_bwrap("exit 0")
    with (
        use_sandbox(SandboxConfig(require="bubblewrap")),
        pytest.raises(UserError, match=r"sandbox\.require=bubblewrap"),
    ):
        choose_level("rlimits")
    with use_sandbox(SandboxConfig(require="rlimits")):
        assert choose_level() == "bubblewrap"


def test_an_unknown_level_is_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'bubblewrap'"):
        choose_level("bublewrap")  # type: ignore[arg-type]
