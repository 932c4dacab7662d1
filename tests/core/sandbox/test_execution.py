"""Running a program to its end."""

from pathlib import Path

import pytest

from netwright.context import RunContext, use_run
from netwright.errors import NetwrightError
from netwright.runfolder import RunFolder
from netwright.sandbox import Limits, SandboxConfig, Source, best_level, run, use_sandbox

LONG = Source("print('x' * 300_000)")


def test_what_it_used_is_reported(workspace: Path) -> None:
    done = run(Source("text = b'x' * (64 << 20); sum(range(10**6)); import time; time.sleep(0.1)"), workspace=workspace)
    assert done.ok
    assert done.exit_code == 0
    assert done.level == best_level()
    assert done.resources.peak_memory_bytes > 64 << 20
    assert done.resources.cpu_s > 0
    assert 0.1 < done.resources.wall_s < 60
    assert done.resources.processes >= 1


def test_exit_codes_and_signals_are_told(workspace: Path) -> None:
    assert run(["sh", "-c", "exit 3"], workspace=workspace).exit_code == 3
    done = run(["sh", "-c", "kill -SEGV $$"], workspace=workspace)
    assert (done.exit_code, done.reason) == (-11, "killed")
    assert "SIGSEGV" in done.detail


def test_the_private_folder_is_writable_and_gone_afterwards(workspace: Path) -> None:
    text = "import tempfile, pathlib; f = tempfile.mkdtemp(); (pathlib.Path.home() / 'x').touch(); print(f)"
    done = run(Source(text + "\nimport os; os.mkdir(f + '/locked', 0)"), workspace=workspace)
    assert done.ok, done.output
    assert not Path(done.output.strip()).parent.parent.exists()


def test_shared_memory_and_semaphores_work(workspace: Path) -> None:
    text = "import multiprocessing as m\nfrom multiprocessing.shared_memory import SharedMemory\nm.Lock()\n"
    done = run(Source(text + "SharedMemory(create=True, size=10).unlink()"), workspace=workspace)
    assert done.ok, done.output


def test_more_can_be_made_readable_and_writable(workspace: Path, tmp_path: Path) -> None:
    for name in ("given", "taken"):
        (tmp_path / name).mkdir()
    (tmp_path / "given" / "file").write_text("content")
    script = f"cat {tmp_path}/given/file; echo x > {tmp_path}/taken/file"
    done = run(["sh", "-c", script], workspace=workspace, readable=[tmp_path / "given"], writable=[tmp_path / "taken"])
    assert done.output == "content"
    assert (tmp_path / "taken" / "file").read_text() == "x\n"


@pytest.mark.skipif(best_level() != "bubblewrap", reason="only bubblewrap can take back a part of the workspace")
def test_what_is_only_readable_stays_so_inside_the_workspace(workspace: Path) -> None:
    (workspace / "inner").mkdir()
    done = run(["sh", "-c", "touch x inner/x"], workspace=workspace, readable=[workspace / "inner"])
    assert done.reason == "denied"
    assert sorted(path.name for path in workspace.rglob("*")) == ["inner", "x"]


def test_limits_are_the_jobs_unless_given(workspace: Path) -> None:
    endless = Source("while True: pass")
    with use_sandbox(SandboxConfig(limits=Limits(wall_s=0.2))):
        assert run(endless, workspace=workspace).reason == "timeout"
        assert run(["true"], workspace=workspace, limits=Limits(wall_s=20)).ok


def test_long_output_goes_to_the_runs_folder_or_where_the_program_cannot_reach_it(
    project: Path, workspace: Path
) -> None:
    folder = RunFolder(project / "run")
    with use_run(RunContext(folder=folder)):
        beside = run(LONG, workspace=workspace)
        around = run(LONG, workspace=project)
    assert beside.output_file is not None
    assert around.output_file is not None
    assert beside.output_file.is_relative_to(folder.path)
    assert not around.output_file.is_relative_to(project)
    assert beside.output_file.read_text() == "x" * 300_000 + "\n"


@pytest.mark.skipif(best_level() != "bubblewrap", reason="only bubblewrap can fail to build the cage")
def test_a_cage_that_cannot_be_built_is_no_failure_of_the_program(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netwright.sandbox.bubblewrap.NAMESPACES", ("--no-such-option",))
    with pytest.raises(NetwrightError, match=r"could not be started in the sandbox; bwrap: .*no-such-option"):
        run(["true"], workspace=workspace)
