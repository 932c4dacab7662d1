"""What the fusion plugin registers, without importing torch."""

import subprocess
import sys
from importlib.metadata import entry_points

from netwright.registry import registry


def test_the_agent_is_registered_and_resumable() -> None:
    spec = registry().agent("fusion")
    assert spec.resumable
    assert spec.default_baselines == ("eager", "torch_compile", "torch_compile_max_autotune")


def test_listing_it_imports_no_torch() -> None:
    modules = "netwright_fusion, netwright_fusion.plugin, netwright_fusion.config"
    code = f"import sys, {modules}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_fork_server_that_is_prepared_is_the_one_that_serves() -> None:
    """It serves one environment: none of the imports that follow may change that."""
    code = "import os; before = dict(os.environ); import netwright_fusion.job; assert dict(os.environ) == before"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_torch_finds_the_backend() -> None:
    (point,) = [point for point in entry_points(group="torch_dynamo_backends") if point.name == "netwright"]
    assert point.value == "netwright_fusion.backend:netwright"
