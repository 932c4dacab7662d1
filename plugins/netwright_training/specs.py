"""The description of a dataset that a plugin returns from the hook `netwright_datasets`."""

from dataclasses import dataclass
from typing import ClassVar

from netwright.specs import ComponentSpec


@dataclass(frozen=True, kw_only=True)
class DatasetSpec(ComponentSpec):
    """A dataset: a function `(config: DatasetConfig, seed: int) -> netwright_training.Splits`.

    Attributes:
        settings: The fields of `DatasetConfig` that it reads besides `name` and `limit`, which work with every dataset.
    """

    kind: ClassVar[str] = "dataset"

    settings: tuple[str, ...] = ()
