"""The instance: whole numbers that a module's own attributes tell."""

from collections.abc import Mapping
from typing import Any

from torch import nn

NOTHING: Mapping[str, Any] = {}


def integer(module: nn.Module, *names: str, config: Mapping[str, Any] = NOTHING) -> int | None:
    """The first of these attributes, or else of these settings, that is a positive whole number."""
    for value in (*(getattr(module, name, None) for name in names), *(config.get(name) for name in names)):
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None
