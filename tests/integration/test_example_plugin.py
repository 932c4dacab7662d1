"""A stranger's package: everything that it brings is listed, and runs from configuration alone."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

RunInstalled = Callable[..., subprocess.CompletedProcess[str]]

EXAMPLE = Path(__file__).parents[2] / "examples" / "netwright-hello"


def result_in(folder: Path) -> dict[str, object]:
    (path,) = folder.glob("outputs/*/*/result.json")
    result: dict[str, object] = json.loads(path.read_text())
    return result


@pytest.mark.parametrize(
    ("listing", "name"),
    [
        ("agents", "census"),
        ("tools", "count_layers"),
        ("baselines", "inference_mode"),
        ("baselines", "bn_scale"),
        ("metrics", "weight_megabytes"),
        ("cases", "mlp"),
    ],
)
def test_component_is_listed(run_installed: RunInstalled, listing: str, name: str) -> None:
    assert name in run_installed("netwright", listing).stdout


def test_tool_runs(run_installed: RunInstalled) -> None:
    done = run_installed("netwright", "tool", "count_layers", "--case", "mlp:4x8x2")
    assert json.loads(done.stdout) == {"Linear": 2, "ReLU": 1}, done.stderr


def test_agent_runs_on_the_plugins_case(run_installed: RunInstalled, tmp_path: Path) -> None:
    done = run_installed("netwright", "run", "agent=census", "case=mlp:4x8x2", "agent.leaves_only=false")
    assert done.returncode == 0, done.stderr
    assert result_in(tmp_path)["metrics"] == {"layers": {"Linear": 2, "Perceptron": 1, "ReLU": 1}}


@pytest.mark.slow
def test_experiment_uses_its_baseline_and_metric(run_installed: RunInstalled, tmp_path: Path) -> None:
    done = run_installed("netwright", "run", "experiment=hello")
    assert done.returncode == 0, done.stderr
    rows = result_in(tmp_path)["measurements"]
    assert isinstance(rows, list)
    assert {(row["label"], row["metric"]) for row in rows} >= {
        (label, metric) for label in ("eager", "inference_mode") for metric in ("latency_ms", "weight_megabytes")
    }


@pytest.mark.slow
def test_pruning_baseline_runs(run_installed: RunInstalled, tmp_path: Path) -> None:
    short = ["agent.train={epochs: 1}", "agent.fine_tune={epochs: 1}"]
    done = run_installed("netwright", "run", "case=digits_cnn", "baseline=bn_scale", *short)
    assert done.returncode == 0, done.stderr
    rows = result_in(tmp_path)["measurements"]
    assert isinstance(rows, list)
    assert "bn_scale" in {row["label"] for row in rows}


def test_its_own_tests_pass(run_installed: RunInstalled) -> None:
    done = run_installed("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLE / "tests"))
    assert done.returncode == 0, done.stdout
