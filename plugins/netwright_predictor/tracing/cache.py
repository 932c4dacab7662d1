"""The cache: the tensors in which a model remembers earlier tokens, found in whatever object holds them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

DEPTH = 6
"""How deep tensors may lie in a cache object: cache, list of layers, layer, dictionary of states, list."""


@dataclass(frozen=True)
class Held:
    """A tensor in a cache.

    Attributes:
        shape: Its shape.
        itemsize: Bytes per number.
        window: The positions that its layer keeps at most, or None for all.
    """

    shape: tuple[int, ...]
    itemsize: int
    window: int | None


def held_tensors(cache: object) -> dict[str, Held]:
    """The tensors of numbers in a cache by where they lie in it, e.g. "layers.0.keys"."""
    found: dict[str, Held] = {}
    seen: set[int] = set()
    for name, tensor, window in cached_tensors(cache):
        if id(tensor) not in seen and tensor.dim() > 1:
            seen.add(id(tensor))
            found[name] = Held(tuple(tensor.shape), tensor.element_size(), window)
    return found


def cached_tensors(cache: object) -> Iterator[tuple[str, Tensor, int | None]]:
    """Every tensor in a cache with where it lies and the positions that its layer keeps at most."""
    return _tensors(cache, "", None, DEPTH)


def _tensors(value: Any, name: str, window: int | None, depth: int) -> Iterator[tuple[str, Tensor, int | None]]:
    if isinstance(value, Tensor):
        yield name, value, window
        return
    if depth == 0 or isinstance(value, nn.Module | str | int | float | bool | None):
        return
    if getattr(value, "is_sliding", False) is True and isinstance(getattr(value, "sliding_window", None), int):
        window = value.sliding_window - 1
    for key, inner in _members(value):
        yield from _tensors(inner, f"{name}.{key}" if name else str(key), window, depth - 1)


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((str(key), inner) for key, inner in value.items())
    elif isinstance(value, Sequence):
        yield from ((str(number), inner) for number, inner in enumerate(value))
    elif hasattr(value, "__dict__") and not isinstance(value, type) and not callable(value):
        yield from vars(value).items()
