"""Validation against published results: targets with their sources, runs over seeds, tests and plots."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netwright_pruning.validation.targets import PUBLISHED, PaperTarget
    from netwright_pruning.validation.validator import PaperReproductionValidator

_HOMES = {"PUBLISHED": "targets", "PaperReproductionValidator": "validator", "PaperTarget": "targets"}

__all__ = ["PUBLISHED", "PaperReproductionValidator", "PaperTarget"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
