"""Cases from model collections: timm, torchvision, transformers, and KernelBench problem files."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netwright_zoo.from_transformers import model_class_of, read_transformers_config
    from netwright_zoo.transformers_inputs import InputOptions, declare_inputs, text_config_of

_HOMES = {
    "InputOptions": "transformers_inputs",
    "declare_inputs": "transformers_inputs",
    "model_class_of": "from_transformers",
    "read_transformers_config": "from_transformers",
    "text_config_of": "transformers_inputs",
}

__all__ = ["InputOptions", "declare_inputs", "model_class_of", "read_transformers_config", "text_config_of"]


def __getattr__(name: str) -> object:
    """Import a public name where it lives, when it is first used: listing plugins must not import torch."""
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
