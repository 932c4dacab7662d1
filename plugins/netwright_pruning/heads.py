"""Heads of attention: what of them is removed, and how modules call their numbers and widths."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import nn

Heads = Literal["whole", "dims"]
"""What of attention is removed: whole heads, or the same dimensions of every head."""

HEAD_COUNTS = (
    "num_heads",
    "heads",
    "n_heads",
    "n_head",
    "nhead",
    "num_attention_heads",
    "num_key_value_heads",
    "num_head",
)
"""Attributes that count heads."""

HEAD_WIDTHS = ("head_dim", "attention_head_size", "dim_head", "key_dim", "d_kv", "key_value_proj_dim")
"""Attributes that give the width of one head."""


def numbers(module: "nn.Module", names: Collection[str]) -> set[int]:
    """What a module, or the configuration that it was built from, has under these names."""
    owners = [module, getattr(module, "config", None)]
    values = {getattr(owner, name, None) for owner in owners for name in names}
    return {value for value in values if isinstance(value, int)}
