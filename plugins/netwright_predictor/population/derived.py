"""Derived parameters: formulas over other parameters, each with the text that provenance shows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from netwright_predictor.population.config_view import ConfigView
from netwright_predictor.population.dtypes import dtype_bytes, weight_dtype
from netwright_predictor.population.errors import ParameterError
from netwright_predictor.population.evidence import Finding, Lookup

DTYPE_KEYS = ("dtype", "torch_dtype")


@dataclass(frozen=True)
class Formula:
    """One way to compute a parameter from others.

    Attributes:
        text: How it reads.
        inputs: The parameters that it takes, in the order of `compute`'s arguments.
        compute: Gives the value; raises ParameterError where the inputs contradict each other.
        assumed: Whether it is only what is usual, so that the structure may know better.
    """

    text: str
    inputs: tuple[str, ...]
    compute: Callable[..., int]
    assumed: bool = False


def _divide(size: str, by: str, what: str) -> Callable[[int, int], int]:
    def divide(whole: int, parts: int) -> int:
        if parts <= 0 or whole <= 0 or whole % parts:
            raise ParameterError(
                f"'{what}' cannot be computed: {size} {whole} is no multiple of {by} {parts}",
                why=f"the config has no {what}",
                remedy=f"correct one of them, or give {what}",
            )
        return whole // parts

    return divide


FORMULAS: dict[str, Formula] = {
    "S": Formula("max_position_embeddings", ("max_position_embeddings",), int),
    "head_dim": Formula(
        "hidden_size // num_attention_heads",
        ("hidden_size", "num_attention_heads"),
        _divide("hidden_size", "num_attention_heads", "head_dim"),
    ),
    "num_key_value_heads": Formula("num_attention_heads", ("num_attention_heads",), int, assumed=True),
    "num_key_value_groups": Formula(
        "num_attention_heads // num_key_value_heads",
        ("num_attention_heads", "num_key_value_heads"),
        _divide("num_attention_heads", "num_key_value_heads", "num_key_value_groups"),
    ),
    "qk_head_dim": Formula(
        "qk_nope_head_dim + qk_rope_head_dim",
        ("qk_nope_head_dim", "qk_rope_head_dim"),
        lambda nope, rope: int(nope + rope),
    ),
}
"""By parameter. `head_dim` and `num_key_value_heads` are computed only where the config does not say them."""


def from_config(parameter: str, view: ConfigView) -> Finding | None:
    """The parameters that follow from settings which are no sizes.

    Raises:
        ParameterError: The config names a number type that is none.
    """
    reading = READINGS.get(parameter)
    return reading(view) if reading is not None else None


def _dtype_bytes(view: ConfigView) -> Finding | None:
    for key in DTYPE_KEYS:
        hit = view.exact(key)
        if hit is not None and str(hit.value) != "auto":
            size = dtype_bytes(str(hit.value))
            return Finding(size, hit.source, f"bytes of {hit.value}")
    return None


def _weight_dtype_bytes(view: ConfigView) -> Finding | None:
    hit = view.exact("quantization_config")
    stored = weight_dtype(hit.value) if hit is not None and isinstance(hit.value, Mapping) else None
    if hit is None or stored is None:
        return _dtype_bytes(view)
    return Finding(dtype_bytes(stored), hit.source, f"bytes of {stored}")


def _num_key_value_heads(view: ConfigView) -> Finding | None:
    """Multi-query models share one key and value head, unless Falcon's new decoder groups them."""
    multi_query = view.exact("multi_query")
    grouped = view.exact("new_decoder_architecture")
    if multi_query is None or multi_query.value is not True or (grouped is not None and grouped.value):
        return None
    return Finding(1, multi_query.source, "1 where multi_query")


def _intermediate_size(view: ConfigView) -> Finding | None:
    """GPT-2 and its kin leave `n_inner` null for four times the width (transformers, `GPT2Config`)."""
    absent = next((prefix for prefix, part in view.ordered if part.get("n_inner", 0) is None), None)
    width = view.find("hidden_size")
    if absent is None or len(width) != 1 or not isinstance(width[0].value, int):
        return None
    return Finding(4 * width[0].value, f"{absent}n_inner, {width[0].source}", "4 * hidden_size where n_inner is null")


READINGS: dict[str, Callable[[ConfigView], Finding | None]] = {
    "dtype_bytes": _dtype_bytes,
    "weight_dtype_bytes": _weight_dtype_bytes,
    "num_key_value_heads": _num_key_value_heads,
    "intermediate_size": _intermediate_size,
}


def from_instance(parameter: str, instance: Mapping[str, Any], lookup: Lookup) -> Finding | None:
    """Key and value heads of an attention that keeps only how many queries share one, as transformers' do."""
    groups = instance.get("num_key_value_groups")
    if parameter != "num_key_value_heads" or not isinstance(groups, int) or groups < 1:
        return None
    heads = lookup("num_attention_heads")
    if heads is None or heads % groups:
        return None
    return Finding(heads // groups, "instance.num_key_value_groups", "num_attention_heads // num_key_value_groups")
