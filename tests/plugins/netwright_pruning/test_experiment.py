"""Experiments: the YAML file of the Python API."""

import subprocess
import sys
from pathlib import Path

import pytest

from netwright_pruning.config import load_config
from netwright_pruning.exceptions import ConfigurationError
from netwright_pruning.experiment import ExperimentConfig, parse_size

SEED_FILE = """
# Main experiment configuration
experiment:
  name: "experiment_name"
  seed: 42

# Agent-specific configurations
agents:
  profiling_agent:
    enable_caching: true
    cache_duration: 3600

  master_agent:
    max_iterations: 5
    convergence_threshold: 0.005

# Dataset configurations
datasets:
  imagenet:
    path: ${IMAGENET_PATH}  # Reads from environment
    batch_size: 256
    safety_limits:
      max_mlp_pruning: 0.15
      max_attention_pruning: 0.10

openai:
  api_key: ${OPENAI_API_KEY}

hardware:
  distributed:
    enabled: true
    backend: "nccl"
    world_size: 4

  gpu:
    memory_limit: "40GB"
    mixed_precision: true
    gradient_checkpointing: true
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_seeds_file_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGENET_PATH", "/data/imagenet")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-test")
    config = load_config(write(tmp_path / "experiment.yaml", SEED_FILE))
    assert isinstance(config, ExperimentConfig)
    assert (config.experiment.name, config.experiment.seed) == ("experiment_name", 42)
    assert config["agents"]["profiling_agent"].cache_duration == 3600
    master = config.agents.master_agent
    assert (master.max_iterations, master.convergence_threshold) == (5, 0.005)
    imagenet = config.datasets["imagenet"]
    assert (imagenet.path, imagenet.batch_size) == (Path("/data/imagenet"), 256)
    assert (imagenet.safety_limits.max_mlp_pruning, imagenet.safety_limits.max_attention_pruning) == (0.15, 0.10)
    assert config.hardware.distributed.world_size == 4
    assert config.hardware.gpu.memory_limit_bytes == 40_000_000_000
    assert config.openai.api_key is not None
    assert config.openai.api_key.get_secret_value() == "sk-of-the-test"
    assert "sk-of-the-test" not in repr(config) + str(config.model_dump(mode="json"))


def test_a_variable_that_is_not_set_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMAGENET_PATH", raising=False)
    with pytest.raises(ConfigurationError, match=r"'IMAGENET_PATH' is not set; 'datasets\.imagenet\.path'"):
        load_config(write(tmp_path / "experiment.yaml", SEED_FILE))


def test_a_variable_may_have_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIDE", raising=False)
    config = load_config({"datasets": {"photos": {"image_size": "${SIDE:-32}"}}})
    assert config.datasets["photos"].image_size == 32


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"experimnt": {}}, r"unknown key 'experimnt'; did you mean 'experiment'"),
        ({"experiment": {"sed": 1}}, r"unknown key 'experiment\.sed'; did you mean 'seed'"),
        ({"hardware": {"distributed": {"backend": "tcp"}}}, r"'hardware\.distributed\.backend' cannot be 'tcp'"),
        ({"hardware": {"gpu": {"memory_limit": "much"}}}, r"'hardware\.gpu\.memory_limit' cannot be 'much'"),
        ({"datasets": {"imagenet": {"batch_size": 0}}}, r"'datasets\.imagenet\.batch_size' cannot be 0"),
        (
            {"datasets": {"imagenet": {"safety_limits": {"max_mlp_pruning": 2}}}},
            r"'datasets\.imagenet\.safety_limits\.max_mlp_pruning' cannot be 2",
        ),
        ({"precomputation": {"importance_scores": {"cache_duration": "long"}}}, r"importance_scores\.cache_duration'"),
    ],
)
def test_a_wrong_key_is_named_in_full(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_config(values)


def test_a_file_builds_on_another(tmp_path: Path) -> None:
    write(tmp_path / "base.yaml", "experiment: {name: base, seed: 3}\n")
    config = load_config(write(tmp_path / "own.yaml", "extends: base.yaml\nexperiment: {name: own}\n"))
    assert (config.experiment.name, config.experiment.seed) == ("own", 3)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read .*invalid_config\.yaml; no such file"):
        load_config(tmp_path / "invalid_config.yaml")
    with pytest.raises(ConfigurationError, match="is not YAML"):
        load_config(write(tmp_path / "broken.yaml", "a: [1\n"))
    with pytest.raises(ConfigurationError, match="no mapping"):
        load_config(write(tmp_path / "list.yaml", "- a\n"))
    with pytest.raises(ConfigurationError, match="leads back"):
        load_config(write(tmp_path / "loop.yaml", "extends: loop.yaml\n"))


def test_sizes_are_decimal() -> None:
    assert (parse_size("40GB"), parse_size("1.5 MB"), parse_size("7B")) == (40 * 10**9, 1_500_000, 7)


def test_loading_a_configuration_imports_no_torch() -> None:
    code = "import sys; from netwright_pruning.config import load_config; load_config({});"
    code += "print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
