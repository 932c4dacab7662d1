"""Bundles: closing a run, and noticing whatever was done to it since."""

import io
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from rich.console import Console

from netwright.archive import DIGEST, MANIFEST, Bundle, BundleCheck, close_run, make_bundle, verify_bundle
from netwright.errors import NetwrightError, UserError
from netwright.result import Measurement, Result
from netwright.runfolder import RunFolder, read_result


def leave_run(folder: Path, *, speedups: tuple[float, ...] = (1.2, 1.664), **details: object) -> Path:
    rows = [Measurement(label=f"m{index}", metric="speedup", value=value) for index, value in enumerate(speedups)]
    values = {
        "status": "ok",
        "agent": "pruner",
        "case": "timm:resnet18",
        "config": {},
        "config_hash": "abc",
        "seed": 0,
        "started": datetime(2026, 11, 20, 15, 3, 22, tzinfo=timezone(timedelta(hours=1))),
        "duration_s": 1.0,
        "measurements": rows,
    }
    run = RunFolder(folder)
    run.write_result(Result.model_validate({**values, **details}))
    (run.artifact("taylor") / "kernel.py").write_text("x = 1\n")
    (folder / "llm").mkdir()
    (folder / "llm" / "0001.json").write_text("{}")
    (folder / ".hydra").mkdir()
    (folder / ".hydra" / "config.yaml").write_text("seed: 0\n")
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(leave_run(tmp_path / "run"), archive_root=tmp_path / "archive")


def shown(check: BundleCheck) -> str:
    console = Console(width=200, file=io.StringIO(), no_color=True)
    console.print(check)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_bundle_is_named_by_time_experiment_and_speedup(bundle: Path) -> None:
    assert bundle.name == "20261120T140322Z-pruner-timm-resnet18-1.66x"


def test_a_run_without_speedup_says_so_in_the_name(tmp_path: Path) -> None:
    bundle = make_bundle(leave_run(tmp_path / "run", speedups=()), archive_root=tmp_path, experiment_name="my: name")
    assert bundle.name == "20261120T140322Z-my-name-na"


@pytest.mark.parametrize(("choice", "name"), [("quickstart", "quickstart"), ("null", "pruner-timm-resnet18")])
def test_the_experiment_preset_names_the_bundle(tmp_path: Path, choice: str, name: str) -> None:
    run = leave_run(tmp_path / "run")
    (run / ".hydra" / "hydra.yaml").write_text(f"hydra: {{runtime: {{choices: {{experiment: {choice}}}}}}}\n")
    assert make_bundle(run, archive_root=tmp_path).name == f"20261120T140322Z-{name}-1.66x"


def test_a_bundle_holds_everything_of_the_run(tmp_path: Path, bundle: Path) -> None:
    run = tmp_path / "run"
    for path in run.rglob("*"):
        if path.is_file():
            assert (bundle / path.relative_to(run)).read_bytes() == path.read_bytes()
    about = Bundle.model_validate_json((bundle / "bundle.json").read_text())
    assert (about.agent, about.case, about.speedup, about.left_out) == ("pruner", "timm:resnet18", 1.664, [])


def test_an_untouched_bundle_verifies(bundle: Path) -> None:
    check = verify_bundle(bundle)
    assert check.ok
    assert check.files == 5
    assert "5 files as archived" in shown(check)


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum")
@pytest.mark.parametrize("manifest", [MANIFEST, DIGEST])
def test_sha256sum_agrees(bundle: Path, manifest: str) -> None:
    assert subprocess.run(["sha256sum", "--check", "--quiet", manifest], cwd=bundle, check=False).returncode == 0


def edit_file(bundle: Path) -> None:
    (bundle / "result.json").write_text("{}")


def remove_file(bundle: Path) -> None:
    (bundle / "llm" / "0001.json").unlink()


def add_file(bundle: Path) -> None:
    (bundle / "llm" / "0002.json").write_text("{}")


def replace_by_link(bundle: Path) -> None:
    elsewhere = bundle.parent / "elsewhere"
    (bundle / "llm" / "0001.json").rename(elsewhere)
    (bundle / "llm" / "0001.json").symlink_to(elsewhere)


def add_linked_folder(bundle: Path) -> None:
    (bundle / "more").symlink_to(bundle.parent)


@pytest.mark.parametrize(
    ("tamper", "changed", "missing", "added"),
    [
        (edit_file, ["result.json"], [], []),
        (remove_file, [], ["llm/0001.json"], []),
        (add_file, [], [], ["llm/0002.json"]),
        (replace_by_link, ["llm/0001.json"], [], []),
        (add_linked_folder, [], [], ["more"]),
    ],
)
def test_what_was_done_to_a_bundle_shows(
    bundle: Path, tamper: Callable[[Path], None], changed: list[str], missing: list[str], added: list[str]
) -> None:
    tamper(bundle)
    check = verify_bundle(bundle)
    assert not check.ok
    assert (check.changed, check.missing, check.added) == (changed, missing, added)
    assert check.manifest_ok
    assert all(path in shown(check) for path in (*changed, *missing, *added))


def test_a_file_taken_out_of_the_manifest_too_shows(bundle: Path) -> None:
    (bundle / "llm" / "0001.json").unlink()
    lines = (bundle / MANIFEST).read_text().splitlines(keepends=True)
    (bundle / MANIFEST).write_text("".join(line for line in lines if "0001" not in line))
    check = verify_bundle(bundle)
    assert (check.changed, check.missing, check.added) == ([], [], [])
    assert not check.manifest_ok
    assert not check.ok
    assert f"changed: {MANIFEST}" in shown(check)


@pytest.mark.parametrize("content", [None, "", "nonsense\n"])
def test_a_damaged_digest_shows(bundle: Path, content: str | None) -> None:
    (bundle / DIGEST).unlink()
    if content is not None:
        (bundle / DIGEST).write_text(content)
    assert not verify_bundle(bundle).ok


@pytest.mark.parametrize("line", ["nonsense", f"{'0' * 64}  ../outside", f"{'0' * 64}  /etc/passwd"])
def test_a_manifest_that_is_none_any_more_is_an_error(bundle: Path, line: str) -> None:
    (bundle / MANIFEST).write_text(f"{line}\n")
    with pytest.raises(NetwrightError, match="was changed") as caught:
        verify_bundle(bundle)
    assert caught.value.exit_code == 1


def test_a_folder_without_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no MANIFEST"):
        verify_bundle(tmp_path)


def test_links_inside_become_files_and_links_outside_are_left_out(tmp_path: Path) -> None:
    run = leave_run(tmp_path / "run")
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "key").write_text("private")
    (run / "inside").symlink_to("result.json")
    (run / "outside").symlink_to(tmp_path / "private" / "key")
    (run / "folder").symlink_to(tmp_path / "private")
    (run / "loop").symlink_to(run)
    (run / "broken").symlink_to("nowhere")
    os.mkfifo(run / "pipe")
    bundle = make_bundle(run, archive_root=tmp_path / "archive")
    assert (bundle / "inside").read_bytes() == (run / "result.json").read_bytes()
    assert not (bundle / "inside").is_symlink()
    about = Bundle.model_validate_json((bundle / "bundle.json").read_text())
    assert about.left_out == ["broken", "folder", "loop", "outside", "pipe"]
    assert not any((bundle / name).exists() for name in about.left_out)
    assert verify_bundle(bundle).ok


def test_strange_file_names_are_kept(tmp_path: Path) -> None:
    run = leave_run(tmp_path / "run")
    names = ["new\nline", "back\\slash", "return\r", " space ", "ünï", os.fsdecode(b"not-\xff-utf8"), "\u2028"]
    for name in names:
        (run / name).write_text(name, errors="surrogateescape")
    bundle = make_bundle(run, archive_root=tmp_path / "archive")
    assert verify_bundle(bundle).ok
    if shutil.which("sha256sum"):
        assert subprocess.run(["sha256sum", "--check", "--quiet", MANIFEST], cwd=bundle, check=False).returncode == 0
    (bundle / names[0]).unlink()
    assert verify_bundle(bundle).missing == [names[0]]


def test_an_existing_bundle_is_never_overwritten(tmp_path: Path, bundle: Path) -> None:
    before = (bundle / MANIFEST).read_bytes()
    with pytest.raises(UserError, match="exists already"):
        make_bundle(tmp_path / "run", archive_root=tmp_path / "archive")
    assert (bundle / MANIFEST).read_bytes() == before


def test_a_bundle_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = leave_run(tmp_path / "run")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copy2", fail)
    with pytest.raises(UserError, match="no space left on device"):
        make_bundle(run, archive_root=tmp_path / "archive")
    assert list((tmp_path / "archive").iterdir()) == []


def test_what_cannot_be_archived_says_why(tmp_path: Path, bundle: Path) -> None:
    with pytest.raises(UserError, match=r"no result\.json"):
        make_bundle(tmp_path / "nowhere", archive_root=tmp_path / "archive")
    with pytest.raises(UserError, match="inside the run folder"):
        make_bundle(tmp_path / "run", archive_root=tmp_path / "run" / "archive")
    with pytest.raises(UserError, match="is a bundle already"):
        make_bundle(bundle, archive_root=tmp_path / "again")


def test_the_start_is_in_utc_whatever_the_runs_clock_said(tmp_path: Path) -> None:
    run = leave_run(tmp_path / "run", started=datetime(2026, 1, 1, 0, 30, tzinfo=UTC))
    assert make_bundle(run, archive_root=tmp_path).name.startswith("20260101T003000Z-")


def test_a_closed_run_and_its_bundle_both_name_the_bundle(project: Path) -> None:
    folder = RunFolder(leave_run(project / "outputs" / "run"))
    closed = close_run(read_result(folder.path), folder, None)
    bundle = (folder.path / closed.artifacts["bundle"]).resolve()
    assert bundle == project / "archive" / "20261120T140322Z-pruner-timm-resnet18-1.66x"
    assert verify_bundle(bundle).ok
    assert read_result(bundle).artifacts["bundle"] == read_result(folder.path).artifacts["bundle"]


def test_runs_that_began_in_the_same_second_get_bundles_of_their_own(project: Path) -> None:
    names = []
    for number in range(2):
        folder = RunFolder(leave_run(project / "outputs" / str(number)))
        names.append(Path(close_run(read_result(folder.path), folder, "digits").artifacts["bundle"]).name)
    assert names == ["20261120T140322Z-digits-1.66x", "20261120T140322Z-digits-2-1.66x"]


def test_a_run_that_cannot_be_bundled_says_so(project: Path) -> None:
    (project / "archive").write_text("in the way")
    folder = RunFolder(leave_run(project / "run"))
    closed = close_run(read_result(folder.path), folder, None)
    assert (closed.status, closed.errors[0].where) == ("partial", "archive")
    assert "bundle" not in read_result(folder.path).artifacts
