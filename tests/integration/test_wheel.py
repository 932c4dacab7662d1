"""The wheel works without the checkout: its configs, cases and plugins come with it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

RunInstalled = Callable[..., subprocess.CompletedProcess[str]]

SHORT = [
    "agent.train={epochs: 2}",
    "agent.fine_tune={epochs: 1}",
    "baseline=[magnitude_l2,isomorphic]",
]


@pytest.mark.slow
def test_quickstart_runs_from_the_wheel(run_installed: RunInstalled, tmp_path: Path) -> None:
    done = run_installed("netwright", "run", "experiment=quickstart", *SHORT)
    assert done.returncode == 0, done.stderr
    (result_file,) = tmp_path.glob("outputs/*/*-pruner-digits_cnn/result.json")
    result = json.loads(result_file.read_text())
    assert result["status"] == "ok"
    assert {row["label"] for row in result["measurements"]} >= {"unpruned", "magnitude_l2", "isomorphic"}
    assert (result_file.parent / "report.html").stat().st_size > 10_000


def test_nothing_comes_from_the_checkout(run_installed: RunInstalled) -> None:
    script = "import netwright, netwright_pruning; print(netwright.__file__, netwright_pruning.__file__)"
    done = run_installed("python", "-c", script)
    assert "site-packages" in done.stdout, done.stderr
    assert "/core/" not in done.stdout


def test_plugins_of_the_wheel_work(run_installed: RunInstalled) -> None:
    done = run_installed("netwright", "plugins", "--json")
    plugins = {plugin["name"]: plugin for plugin in json.loads(done.stdout)}
    assert set(plugins) >= {"core", "execution", "pruning", "training", "zoo", "hello"}
    assert not any(plugin["errors"] for plugin in plugins.values())
