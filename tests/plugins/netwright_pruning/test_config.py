"""Settings: the YAML and the class say the same, and wrong budgets are refused with their key."""

import subprocess
import sys
from typing import Any

import pytest

from netwright.config import parse_config
from netwright.errors import UserError
from netwright.testing import check_agent_config
from netwright_pruning import Budget, PrunerConfig


def test_the_config_file_lists_every_key_with_its_default() -> None:
    check_agent_config("pruner")


def test_without_a_budget_half_of_the_macs_remain() -> None:
    assert PrunerConfig().targets == (Budget("macs", 0.5),)


@pytest.mark.parametrize(
    ("budget", "targets"),
    [
        ({"macs": 0.3}, [Budget("macs", 0.3)]),
        ({"parameters": "25k"}, [Budget("parameters", 25e3)]),
        ({"macs": "1.8G", "parameters": None}, [Budget("macs", 1.8e9)]),
        ({"macs": 0.5, "parameters": 0.6}, [Budget("macs", 0.5), Budget("parameters", 0.6)]),
        ({"latency": 0.6}, [Budget("latency", 0.6)]),
        ({"latency": "800us"}, [Budget("latency", 0.8, absolute=True)]),
        ({"latency": "12ms", "macs": 0.9}, [Budget("macs", 0.9), Budget("latency", 12.0, absolute=True)]),
    ],
)
def test_a_budget_is_read(budget: dict[str, Any], targets: list[Budget]) -> None:
    assert list(parse_config(PrunerConfig, {"budget": budget}, path="agent").targets) == targets


@pytest.mark.parametrize("value", [0, 1, 1.5, -0.2, "12ms", "half", True])
def test_a_budget_outside_the_range_is_refused_with_its_key(value: object) -> None:
    with pytest.raises(UserError, match=r"'agent\.budget\.macs' cannot be .*between 0 and 1"):
        parse_config(PrunerConfig, {"budget": {"macs": value}}, path="agent")


def test_a_budget_names_a_metric() -> None:
    with pytest.raises(UserError, match=r"'agent\.budget' cannot be .*names macs, parameters or latency"):
        parse_config(PrunerConfig, {"budget": {}}, path="agent")


@pytest.mark.parametrize("value", ["12", "12M", 3, True, "0ms", "-1ms"])
def test_a_latency_is_a_fraction_or_a_time(value: object) -> None:
    with pytest.raises(UserError, match=r"'agent\.budget\.latency' cannot be .*12ms"):
        parse_config(PrunerConfig, {"budget": {"latency": value}}, path="agent")


def test_shares_and_limits_make_an_allocation() -> None:
    config = parse_config(PrunerConfig, {"shares": {"attn": 0.5}, "limits": {"stem": 0.25}}, path="agent")
    assert config.allocation.share("blocks.0.attn.qkv") == 0.5
    assert config.allocation.share("stem") == 1
    assert config.allocation.kept("stem", 64) == 48
    assert config.allocation.kept("blocks.0.attn.qkv", 64) == 0
    with pytest.raises(UserError, match=r"agent\.shares.*at least 0"):
        parse_config(PrunerConfig, {"shares": {"*": -1}}, path="agent")


def test_an_unknown_metric_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"unknown key 'agent\.budget\.mac'; did you mean 'macs'"):
        parse_config(PrunerConfig, {"budget": {"mac": 0.5}}, path="agent")


def test_plugin_package_and_config_import_no_torch() -> None:
    modules = "netwright_pruning, netwright_pruning.plugin, netwright_pruning.config"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
