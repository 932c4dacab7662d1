"""Settings: the YAML and the class say the same, and what is wrong is refused before anything is built."""

import subprocess
import sys
from typing import Any

import pytest

from netwright.config import parse_config
from netwright.errors import UserError
from netwright.testing import check_agent_config
from netwright_predictor import PredictorConfig


def test_the_config_file_lists_every_key_with_its_default() -> None:
    check_agent_config("predictor")


def test_names_are_completed() -> None:
    config = parse_config(PredictorConfig, {"dtype": "bf16", "quantization": {"weights": "fp16"}})
    assert (config.dtype, config.quantization.weights) == ("bfloat16", "float16")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"batch_size": 0}, "agent.batch_size"),
        ({"sequence_length": -5}, "agent.sequence_length"),
        ({"context_length": -1}, "agent.context_length"),
        ({"phase": "training"}, "agent.phase"),
        ({"dtype": "bfloat61"}, "bfloat16"),
        ({"attention": "sparse"}, "agent.attention"),
        ({"hardware": "h300"}, "no hardware preset named 'h300'; did you mean 'h200'?"),
        ({"hardware": {"flops": {"bfloat16": 1e15}}}, "bandwidth"),
        ({"hardware": {"flops": {"bfloat16": -1.0}, "bandwidth": 1e12}}, "positive"),
        ({"parallel": {"tensor": 0}}, "agent.parallel.tensor"),
        ({"parallel": {"tesnor": 2}}, "did you mean 'tensor'?"),
        ({"quantization": {"weights": "int3"}}, "no number format named 'int3'"),
        ({"optimizer": "adamv"}, "no optimizer named 'adamv'; did you mean"),
        ({"check_seconds": 0}, "agent.check_seconds"),
        ({"coverage": {"families": ["vison"]}}, "agent.coverage.families"),
        ({"sequense_length": 5}, "did you mean 'sequence_length'?"),
    ],
)
def test_wrong_settings_are_refused_in_one_line(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_config(PredictorConfig, values, path="agent")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_neither_plugin_nor_settings_import_torch() -> None:
    source = (
        "import sys, netwright_predictor, netwright_predictor.plugin, netwright_predictor.config\n"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", source], check=False).returncode == 0
