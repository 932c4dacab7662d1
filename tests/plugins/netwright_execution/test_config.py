"""Tests of the benchmark's settings."""

import subprocess
import sys

from netwright.testing import check_agent_config


def test_the_yaml_file_lists_every_key_with_its_default() -> None:
    check_agent_config("benchmark")


def test_plugin_and_settings_import_no_torch() -> None:
    program = (
        "import sys, netwright_execution, netwright_execution.plugin, netwright_execution.config\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
