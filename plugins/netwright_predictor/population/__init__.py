"""Population: the value of every parameter that an analyzer requires, and how it is known."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netwright_predictor.population.ask import populate_or_ask
    from netwright_predictor.population.dtypes import bytes_per_element, dtype_bytes, weight_dtype
    from netwright_predictor.population.errors import (
        AgentFailedError,
        AmbiguousParameterError,
        MissingParameterError,
        ParameterError,
        ParameterTypeError,
    )
    from netwright_predictor.population.provenance import Populated, Provenance, Rule
    from netwright_predictor.population.rules import populate

_HOMES = {
    "AgentFailedError": "errors",
    "AmbiguousParameterError": "errors",
    "MissingParameterError": "errors",
    "ParameterError": "errors",
    "ParameterTypeError": "errors",
    "Populated": "provenance",
    "Provenance": "provenance",
    "Rule": "provenance",
    "bytes_per_element": "dtypes",
    "dtype_bytes": "dtypes",
    "populate": "rules",
    "populate_or_ask": "ask",
    "weight_dtype": "dtypes",
}

__all__ = [
    "AgentFailedError",
    "AmbiguousParameterError",
    "MissingParameterError",
    "ParameterError",
    "ParameterTypeError",
    "Populated",
    "Provenance",
    "Rule",
    "bytes_per_element",
    "dtype_bytes",
    "populate",
    "populate_or_ask",
    "weight_dtype",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
