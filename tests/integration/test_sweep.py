"""Sweeps: every launcher, failing jobs, and resuming without doing anything twice."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

RunInstalled = Callable[..., subprocess.CompletedProcess[str]]

SWEEP = ["netwright", "run", "-m", "agent=census", "case=mlp:4x8x2,mlp:4x8x8x2", "seed=0,1"]


def results_below(folder: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_text()) for path in sorted(folder.rglob("result.json"))]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "joblib", "submitit_local"])
def test_every_launcher_runs_every_job(run_installed: RunInstalled, tmp_path: Path, launcher: str) -> None:
    done = run_installed(*SWEEP, f"hydra/launcher={launcher}")
    assert done.returncode == 0, done.stderr
    results = results_below(tmp_path / "multirun")
    assert [result["status"] for result in results] == ["ok"] * 4
    assert len({str(result["config_hash"]) for result in results}) == 4
    assert "mlp:4x8x8x2" in done.stdout


@pytest.mark.slow
def test_launch_preset(run_installed: RunInstalled, tmp_path: Path) -> None:
    done = run_installed(*SWEEP, "launch=cores", "hydra.launcher.n_jobs=2")
    assert done.returncode == 0, done.stderr
    assert len(results_below(tmp_path / "multirun")) == 4


@pytest.mark.parametrize("preset", ["slurm", "ray"])
def test_cluster_presets_compose_or_say_what_to_install(run_installed: RunInstalled, preset: str) -> None:
    done = run_installed("netwright", "run", f"launch={preset}", "agent=census", "--cfg", "hydra")
    if done.returncode:
        assert f"error: launcher '{preset}' is not installed; pip install hydra-{preset}-launcher" in done.stderr
    else:
        assert "launcher:" in done.stdout


@pytest.mark.slow
def test_failing_job_hides_no_other(run_installed: RunInstalled, tmp_path: Path) -> None:
    done = run_installed("netwright", "run", "-m", "agent=census", "case=mlp:4x8x2,mlp:4x0,mlp:2x2")
    assert done.returncode == 2
    assert "'mlp:4x0' names no perceptron" in done.stderr
    assert sorted(str(result["status"]) for result in results_below(tmp_path)) == ["failed", "ok", "ok"]
    (sweep,) = (tmp_path / "multirun").glob("*/*")
    collected = run_installed("netwright", "collect", str(sweep))
    assert collected.returncode == 0
    assert "names no perceptron" in " ".join(collected.stdout.split())


@pytest.mark.slow
def test_named_sweep_is_resumed(run_installed: RunInstalled, tmp_path: Path) -> None:
    named = [*SWEEP, "sweep.name=widths"]
    assert run_installed(*named).returncode == 0
    sweep = tmp_path / "multirun" / "widths"
    first, *others = sorted(sweep.rglob("result.json"))
    stamps = {path: path.stat().st_mtime_ns for path in others}
    first.unlink()

    refused = run_installed(*named)
    assert refused.returncode == 2
    assert "add sweep.resume=true" in refused.stderr

    assert not first.exists()
    resumed = run_installed(*named, "sweep.resume=true")
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout.count("skipped") == 3
    assert first.exists()
    assert {path: path.stat().st_mtime_ns for path in others} == stamps


@pytest.mark.slow
def test_extended_sweep_runs_only_what_is_new(run_installed: RunInstalled, tmp_path: Path) -> None:
    command = ["netwright", "run", "-m", "agent=census", "case=mlp:4x8x2", "sweep.name=seeds", "sweep.resume=true"]
    assert run_installed(*command, "seed=0,1").returncode == 0
    done = run_installed(*command, "seed=0,1,2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("skipped") == 2
    assert {result["seed"] for result in results_below(tmp_path)} == {0, 1, 2}
