"""A tool: one typed function; its schema and help are made from its signature and docstring."""

from collections import Counter

from netwright.cases import load_case
from netwright.cases.module import prepare_module


def count_layers(case: str, leaves_only: bool = True) -> dict[str, int]:
    """Count a case's layers by type, most frequent first.

    Args:
        case: The case's name, e.g. "digits_cnn" or "mlp:64x128x10".
        leaves_only: Count only modules without children.
    """
    module = prepare_module(load_case(case), seed=0)
    counted = (layer for layer in module.modules() if not leaves_only or not list(layer.children()))
    return dict(Counter(type(layer).__name__ for layer in counted).most_common())
