"""The plugin, tested with netwright's public test kit."""

from pathlib import Path

import pytest

from netwright.cases import load_case
from netwright.cases.module import prepare_module
from netwright.errors import UserError
from netwright.registry import registry
from netwright.testing import check_agent_config
from netwright_hello.metric import weight_megabytes
from netwright_hello.tool import count_layers

pytest_plugins = ["netwright.testing"]


def test_every_component_is_registered() -> None:
    plugin = next(plugin for plugin in registry().plugins if plugin.name == "hello")
    assert not plugin.errors
    assert {spec.kind for spec in plugin.components} == {"agent", "tool", "baseline", "metric", "case source"}


def test_yaml_and_class_agree() -> None:
    check_agent_config("census")


def test_tool_counts_layers(project: Path) -> None:
    assert count_layers("mlp:4x8x8x2") == {"Linear": 3, "ReLU": 2}


def test_metric_counts_bytes(project: Path) -> None:
    case = load_case("mlp:4x8x2")
    module = prepare_module(case, seed=0)
    assert weight_megabytes(module, case.draw_inputs(0, "normal")) == (4 * 8 + 8 + 8 * 2 + 2) * 4 / 1e6


@pytest.mark.parametrize("reference", ["64", "64x0x10", "axb"])
def test_bad_reference_is_one_clear_line(project: Path, reference: str) -> None:
    with pytest.raises(UserError, match="write its widths"):
        load_case(f"mlp:{reference}")
