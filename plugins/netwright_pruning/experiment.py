"""Experiments of the Python API: one hierarchical YAML file, with environment variables in it, as typed sections."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, SecretStr, field_validator

from netwright.config import Config, parse_config
from netwright.errors import UserError
from netwright_pruning.agents.config import (
    AnalysisConfig,
    EvaluationConfig,
    FineTuningConfig,
    MasterConfig,
    ProfilingConfig,
    PruningConfig,
    SafetyLimits,
)
from netwright_pruning.exceptions import ConfigurationError
from netwright_pruning.merging import merge

VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)i?B", re.IGNORECASE)
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


class Section(Config):
    """A section; `section["key"]` is `section.key`."""

    def __getitem__(self, name: str) -> Any:
        if name not in type(self).model_fields:
            raise KeyError(name)
        return getattr(self, name)


class ExperimentSection(Section):
    """What the experiment is called, and its seed."""

    name: str = "experiment"
    """Leads the names of its folders."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """The only seed."""
    output_dir: Path | None = None
    """Where results go that are given no folder of their own; null is outputs/<name>."""


class AgentsSection(Section):
    """Settings of the agents that take part; each takes what its class takes."""

    profiling_agent: ProfilingConfig = ProfilingConfig()
    master_agent: MasterConfig = MasterConfig()
    analysis_agent: AnalysisConfig = AnalysisConfig()
    pruning_agent: PruningConfig = PruningConfig()
    fine_tuning_agent: FineTuningConfig = FineTuningConfig()
    evaluation_agent: EvaluationConfig = EvaluationConfig()


class DatasetSection(Section):
    """A dataset and how it is read."""

    name: str | None = None
    """The registered dataset (netwright components dataset); null is the section's own key."""
    path: Path | None = None
    """Where it lies."""
    batch_size: int | None = Field(default=None, ge=1)
    """Samples per step of fine-tuning."""
    image_size: int | None = Field(default=None, ge=1)
    """Pixels to which image files are brought; null is the model's own size."""
    download: bool = False
    """Whether to download what is not there."""
    limit: int | None = Field(default=None, ge=1)
    """At most so many samples of each split."""
    validation_fraction: float | None = Field(default=None, gt=0, lt=1)
    """Share held out of the training images to choose the best epoch by."""
    workers: int = Field(default=0, ge=0)
    """Processes that load images."""
    safety_limits: SafetyLimits = SafetyLimits(max_layer_pruning=None)
    """How much may go at most from models for this dataset."""


class ModelSection(Section):
    """Where a model's weights come from, and what makes it up."""

    checkpoint: Path | None = None
    """A file with its state dict (.safetensors, .pt, .pth)."""
    pretrained: bool = True
    """Whether to take the published weights (from netwright's cache, or the network) where there is no checkpoint."""
    constants: dict[str, Any] = {}
    """Arguments of its constructor."""
    train: dict[str, Any] | None = None
    """A training recipe before pruning, for a model without weights of its own."""


class OpenAISection(Section):
    """The language model that proposes; with a key, it answers the agents' questions."""

    api_key: SecretStr | None = None
    """Usually ${OPENAI_API_KEY}; kept out of every file that is written."""
    model: str = "gpt-4o-mini"
    """Which model."""
    api_base: str | None = None
    """The address of a server of your own."""


class DistributedSection(Section):
    """Training on several processes."""

    enabled: bool = False
    """Whether to use them."""
    backend: Literal["gloo", "nccl"] = "nccl"
    """nccl between CUDA devices, gloo between CPUs."""
    world_size: int | None = Field(default=None, ge=1)
    """How many processes there must be; null is as many as torchrun started."""
    timeout_s: float = Field(default=600.0, gt=0)
    """How long one of them waits for the others."""


class GpuSection(Section):
    """How a GPU's memory is used."""

    memory_limit: str | None = None
    """The most that this process may take, e.g. "40GB"."""
    mixed_precision: bool = False
    """Whether fine-tuning computes in bfloat16 where it may."""
    gradient_checkpointing: bool = False
    """Whether fine-tuning computes activations again instead of keeping them."""

    @field_validator("memory_limit")
    @classmethod
    def _is_a_size(cls, value: str | None) -> str | None:
        if value is not None:
            parse_size(value)
        return value

    @property
    def memory_limit_bytes(self) -> int | None:
        """The limit in bytes."""
        return None if self.memory_limit is None else parse_size(self.memory_limit)


class HardwareSection(Section):
    """What to compute on."""

    device: str = "auto"
    """One of "cpu", "cuda", "cuda:1"; "auto" takes CUDA where there is one."""
    distributed: DistributedSection = DistributedSection()
    gpu: GpuSection = GpuSection()


class CachePolicy(Section):
    """Whether and for how long something is kept."""

    enabled: bool = True
    cache_duration: float = Field(default=3600, ge=0)
    """Seconds after which it is computed anew."""


class PrecomputationSection(Section):
    """What is kept on disk from one pruning to the next."""

    enabled: bool = False
    """Whether anything is."""
    cache_dir: Path | None = None
    """Where; null is netwright's cache."""
    model_analysis: CachePolicy = CachePolicy(cache_duration=7200)
    """Profiles of models, by structure."""
    importance_scores: CachePolicy = CachePolicy()
    """Scores of channels, by weights, method, data and seed."""


class BatchSection(Section):
    """How the samples are looked at that channels are scored by."""

    enabled: bool = True
    """Whether in batches; else all at once, which is exact about their joint gradient and takes the memory for it."""
    batch_size: int = Field(default=64, ge=2)
    """Samples per batch."""
    batches: int = Field(default=16, ge=1)
    """At most so many batches."""


class ExperimentConfig(Section):
    """A whole experiment."""

    experiment: ExperimentSection = ExperimentSection()
    agents: AgentsSection = AgentsSection()
    datasets: dict[str, DatasetSection] = {}
    models: dict[str, ModelSection] = {}
    openai: OpenAISection = OpenAISection()
    hardware: HardwareSection = HardwareSection()
    precomputation: PrecomputationSection = PrecomputationSection()
    batch_processing: BatchSection = BatchSection()
    pruner: dict[str, Any] = {}
    """Further settings of the agent `pruner` (tolerance, round_to, ...)."""


def load_config(source: str | Path | Mapping[str, Any]) -> ExperimentConfig:
    """Read an experiment.

    `${NAME}` in any text stands for the environment variable, `${NAME:-text}` for it or else the text. A file may build
    on another: `extends: base.yaml`, relative to itself; what it says itself wins, key by key.

    Args:
        source: The YAML file, or its content as nested mappings.

    Raises:
        ConfigurationError: The file cannot be read, a variable is not set, or a key is unknown or has a wrong value;
            the message names the key in full.
    """
    values = dict(source) if isinstance(source, Mapping) else _read(Path(source), ())
    try:
        return parse_config(ExperimentConfig, _substituted(values, ""))
    except UserError as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError.of(error) from None


def parse_size(text: str) -> int:
    """Bytes of "40GB", "512 MB" (1 GB is 10^9 bytes).

    Raises:
        ValueError: It is no such text.
    """
    match = SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError('a size is a number with a unit: "40GB", "512MB"')
    return int(float(match[1]) * UNITS[match[2].upper()])


def _read(path: Path, chain: tuple[Path, ...]) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}", why=(error.strerror or str(error)).lower()) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not YAML", why=" ".join(str(error).split())) from None
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigurationError(f"{path} holds no settings", why="its top level is no mapping from names")
    base = values.pop("extends", None)
    if base is None:
        return values
    below = (path.parent / str(base)).resolve()
    if below in (*chain, path.resolve()):
        raise ConfigurationError(f"'extends' of {path} leads back to {below.name}")
    return merge(_read(below, (*chain, path.resolve())), values)


def _substituted(value: Any, key: str) -> Any:
    """`value` with the environment's variables in all its texts."""
    if isinstance(value, Mapping):
        return {name: _substituted(item, f"{key}.{name}" if key else str(name)) for name, item in value.items()}
    if isinstance(value, list):
        return [_substituted(item, f"{key}.{number}") for number, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        found = os.environ.get(match[1], match[2])
        if found is None:
            raise ConfigurationError(
                f"environment variable '{match[1]}' is not set",
                why=f"'{key}' is {value}",
                remedy=f"export {match[1]}=..., or write {key} out",
            )
        return found

    return VARIABLE.sub(replace, value)
