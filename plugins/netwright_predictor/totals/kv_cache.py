"""The cache of keys, values and states: what a model remembers of earlier tokens, at any length."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from netwright_predictor.polynomial import VARIABLES, Polynomial
from netwright_predictor.prediction import KvCache
from netwright_predictor.totals.formats import Format, storage_format
from netwright_predictor.tracing.cache import Held
from netwright_predictor.tracing.fitting import fit_bytes


@dataclass(frozen=True)
class CacheTensor:
    """One tensor of a cache, or the same in several layers.

    Attributes:
        name: Where it lies in the first of them.
        bytes: Of one in the dtype that the model computes in, by sizes; S is the tokens that it holds.
        seen: As it was seen at small sizes.
        stored: The number format that it is stored in; None for the model's dtype.
        repeat: In how many layers.
    """

    name: str
    bytes: Polynomial
    seen: Held
    stored: Format | None
    repeat: int

    def at(self, batch: int, tokens: int, encoder: int) -> int:
        """Bytes of them all."""
        held = tokens if self.seen.window is None else min(tokens, self.seen.window)
        size = self.bytes({"B": batch, "S": held, "E": encoder})
        if self.stored is not None:
            numbers = size // self.seen.itemsize
            size = self.stored.bytes(numbers, numbers // self.seen.shape[-1])
        return self.repeat * size


def read_cache(
    held: Sequence[Mapping[str, Held]],
    sizes: Sequence[Mapping[str, int]],
    repeats: Mapping[str, int],
    number_format: str | None = None,
) -> tuple[list[CacheTensor], list[str]]:
    """The tensors of a cache at all sizes.

    Args:
        held: What it held after a forward at each of `sizes`.
        repeats: In how many layers a tensor is, by name; 1 where missing.
        number_format: What keys, values and all else that grows with the length are stored in; None keeps their dtype.

    Returns:
        The tensors, and the names of those whose sizes follow no simple formula.
    """
    tensors, unknown = [], []
    for name, first in held[0].items():
        seen = [each.get(name) for each in held]
        values = [prod(each.shape) * each.itemsize for each in seen if each is not None]
        found = fit_bytes(values, sizes) if len(values) == len(held) else None
        if found is None:
            unknown.append(name)
        else:
            stored = storage_format(number_format) if number_format is not None and _grows(found) else None
            tensors.append(CacheTensor(name, found, first, stored, repeats.get(name, 1)))
    return tensors, unknown


def _grows(size: Polynomial) -> bool:
    return any(powers[VARIABLES.index("S")] for powers in size.terms)


def total_cache(
    tensors: Sequence[CacheTensor],
    *,
    batch: int,
    tokens: int,
    encoder: int,
    config: Mapping[str, Any],
    dtype_bytes: int,
) -> KvCache:
    """The whole cache when each sequence has `tokens` tokens.

    Args:
        config: Of the text model, for the latent that a cache of multi-head latent attention could hold instead.
    """
    now = sum(each.at(batch, tokens, encoder) for each in tensors)
    one = [each.at(1, tokens, encoder) for each in tensors]
    after = [each.at(1, tokens + 1, encoder) for each in tensors]
    fixed = sum(
        each.at(batch, tokens, encoder)
        for each, before, later in zip(tensors, one, after, strict=True)
        if before == later
    )
    growing = sum(after) - sum(one)
    return KvCache(
        bytes_per_token=growing, bytes=now, state_bytes=fixed, latent_bytes_per_token=_latent(config, dtype_bytes)
    )


def _latent(config: Mapping[str, Any], dtype_bytes: int) -> int | None:
    """Bytes per token of compressed latents (DeepSeek-V2, arXiv:2405.04434, section 2.1.2): rank and rotary part."""
    rank, rotary, layers = (config.get(name) for name in ("kv_lora_rank", "qk_rope_head_dim", "num_hidden_layers"))
    if not (isinstance(rank, int) and isinstance(rotary, int) and isinstance(layers, int)):
        return None
    return layers * (rank + rotary) * dtype_bytes
