"""Loading a dataset by name."""

from collections.abc import Mapping
from typing import Any

from netwright.config import parse_config
from netwright.errors import NetwrightError, UserError
from netwright.registry import registry
from netwright_training.config import DatasetConfig
from netwright_training.specs import DatasetSpec
from netwright_training.splits import Splits

COMMON_SETTINGS = ("name", "limit")


def load_dataset(config: DatasetConfig | Mapping[str, Any], *, seed: int) -> Splits:
    """The splits of the dataset that `config` names; equal configuration, seed and files give equal splits.

    Args:
        config: The dataset's settings, or a mapping that validates as such (a case manifest's `data`).

    Raises:
        UserError: There is no such dataset (the nearest is shown), a setting is unknown or not one that this dataset
            reads, or its files are missing or damaged.
        MissingDependencyError: A package that the dataset needs is not installed.
    """
    if not isinstance(config, DatasetConfig):
        config = parse_config(DatasetConfig, config, path="data")
    spec = registry().spec("dataset", config.name)
    loader = registry().load("dataset", config.name)
    if isinstance(spec, DatasetSpec):
        _refuse_foreign_settings(config, spec)
    splits = loader(config, seed) if callable(loader) else None
    if not isinstance(splits, Splits):
        raise NetwrightError(f"dataset '{config.name}' gives no Splits", why=f"its loader is {spec.target}")
    return splits if config.limit is None else splits.limited(config.limit, seed)


def _refuse_foreign_settings(config: DatasetConfig, spec: DatasetSpec) -> None:
    defaults = DatasetConfig()
    for name in DatasetConfig.model_fields:
        changed = getattr(config, name) != getattr(defaults, name)
        if changed and name not in (*COMMON_SETTINGS, *spec.settings):
            raise UserError(
                f"dataset '{config.name}' does not read 'data.{name}'",
                remedy=f"it reads {', '.join((*COMMON_SETTINGS, *spec.settings))}",
            )
