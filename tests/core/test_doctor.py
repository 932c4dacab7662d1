"""The doctor's findings."""

import io
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console

from netwright import doctor
from netwright.doctor import Finding, diagnose, findings_table
from netwright.machine import Gpu
from netwright.plugins import Plugin
from netwright.requirements import Package
from netwright.sandbox import LEVELS, Probe


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    """Nothing is compiled or confined; the cache lies in the test's own folder."""
    assert project.is_dir()
    monkeypatch.setattr(doctor, "compile_extension", lambda: None)
    monkeypatch.setattr(doctor, "probe_levels", lambda: levels(bubblewrap="all of its own"))
    monkeypatch.setattr(doctor, "find_gpus", lambda **_: [])


def levels(**working: str) -> list[Probe]:
    """What probing gives where only the levels named work."""
    return [
        Probe(level=level, works=level in working, detail=working.get(level, "no permission"), remedy="ask for it")
        for level in LEVELS
    ]


def finding(name: str, plugins: tuple[Plugin, ...] = ()) -> Finding:
    found = {one.name: one for one in diagnose(plugins=plugins)}
    assert name in found, sorted(found)
    return found[name]


def test_everything_is_looked_at() -> None:
    names = {one.name for one in diagnose()}
    assert names >= {"netwright", "packages", "torch", "GPU", "Triton", "C++ compiler", "processor", "disk here"}
    assert names >= {"disk of the cache", "cache", "extra report", "extra training", "language model", "sandbox"}
    assert "extra dev" not in names


def test_no_gpu_is_missing_but_no_fault() -> None:
    gpu = finding("GPU")
    assert gpu.status == "missing"
    assert gpu.remedy == ""


def test_a_gpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_gpus", lambda **_: [Gpu(name="NVIDIA X", memory_bytes=80 * 2**30)])
    assert finding("GPU") == Finding(name="GPU", status="ok", detail="NVIDIA X, 80.0 GiB")


def test_a_gpu_that_torch_cannot_use_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        doctor, "find_gpus", lambda *, ask_torch=False: [] if ask_torch else [Gpu(name="NVIDIA X", memory_bytes=None)]
    )
    gpu = finding("GPU")
    assert gpu.status == "warn"
    assert "torch cannot use it" in gpu.detail


def test_a_compiler_that_fails_is_missing_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "compile_extension", lambda: "Python.h: no such file")
    compiler = finding("C++ compiler")
    assert compiler.status == "missing"
    assert "Python.h: no such file" in compiler.detail
    assert compiler.remedy


def test_extras_are_ok_missing_or_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {
        "good": [Package("a", ">=1", "1.2", fits=True)],
        "gone": [Package("a", ">=1", "1.2", fits=True), Package("b", "", None, fits=False)],
        "old": [Package("c", ">=2", "1.0", fits=False)],
    }
    monkeypatch.setattr(doctor, "extras", lambda: table)
    assert finding("extra good") == Finding(name="extra good", status="ok", detail="a 1.2")
    gone = finding("extra gone")
    assert (gone.status, gone.detail, gone.remedy) == ("missing", "not installed: b", "pip install 'netwright[gone]'")
    old = finding("extra old")
    assert (old.status, old.detail) == ("warn", "c 1.0 is not >=2")


def test_little_space_and_memory_are_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "free_space", lambda _: 2**20)
    monkeypatch.setattr(doctor, "usable_memory", lambda: 2**30)
    assert finding("disk here").status == "warn"
    assert finding("processor").status == "warn"


def test_a_cache_that_cannot_be_written_is_missing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "file").write_text("")
    monkeypatch.setenv("NETWRIGHT_CACHE", str(project / "file"))
    cache = finding("cache")
    assert cache.status == "missing"
    assert "NETWRIGHT_CACHE" in cache.remedy


def test_the_sandbox_is_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert finding("sandbox") == Finding(name="sandbox", status="ok", detail="bubblewrap: all of its own")
    monkeypatch.setattr(doctor, "probe_levels", lambda: levels(landlock="version 7", rlimits="limits"))
    assert finding("sandbox") == Finding(
        name="sandbox",
        status="warn",
        detail="landlock: version 7; bubblewrap does not work: no permission",
        remedy="ask for it",
    )
    monkeypatch.setattr(doctor, "probe_levels", levels)
    assert finding("sandbox").status == "missing"


def test_broken_plugins_are_findings_of_their_own() -> None:
    plugins = (
        Plugin("good", "pack", "1.0", module=ModuleType("good")),
        Plugin("off", disabled=True),
        Plugin("bad", "other-pack", "2.0", errors=["does not load: ImportError: no such thing"]),
    )
    assert finding("plugins", plugins).detail == "good; disabled: off"
    bad = finding("plugin bad", plugins)
    assert bad.status == "warn"
    assert "no such thing" in bad.detail
    assert "other-pack" in bad.remedy


def test_keys_are_named_and_their_values_kept(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "tulip-42")
    (project / ".env").write_text("OTHER_API_KEY=daisy-77\nHOST=example.org\n")
    model = finding("language model")
    assert model.detail.startswith("none: the deterministic rules decide; keys: ")
    assert "SOME_API_KEY (environment)" in model.detail
    assert "OTHER_API_KEY (.env)" in model.detail
    assert not [word for word in ("tulip", "daisy", "HOST") if word in model.detail]


def test_the_table_fits_80_columns() -> None:
    console = Console(width=80, file=io.StringIO(), no_color=True)
    console.print(findings_table([*diagnose(), Finding(name="x", status="warn", detail="[b]" * 40, remedy="do it")]))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert all(len(line) <= 80 for line in text.splitlines())
    assert text.count("[b]") >= 20
    assert "do it" in text
