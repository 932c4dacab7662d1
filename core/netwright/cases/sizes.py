"""Sizes by name in a manifest: shapes and ranges may name constructor arguments, so that one change reaches both."""

from collections.abc import Mapping
from typing import Any

from netwright.errors import nearest

SIZED = ("shape", "range")
"""The keys of a tensor whose lists may hold names."""


def with_sizes(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest as it was read, with every name in a shape or range replaced by its value.

    A name is a constructor argument (`model.kwargs`) or one of `sizes`, which are there for what no argument says, such
    as a batch size.

    Args:
        changes: Other values of names: those in `sizes` change there, all others are constructor arguments.

    Raises:
        ValueError: A shape or range names what neither of them has.
    """
    model, sizes = values.get("model"), values.get("sizes") or {}
    if not isinstance(model, Mapping) or not isinstance(sizes, Mapping):
        return dict(values)  # the schema says what is wrong
    arguments = model.get("kwargs") or {}
    if not isinstance(arguments, Mapping):
        return dict(values)
    sizes = {**sizes, **{name: value for name, value in changes.items() if name in sizes}}
    arguments = {**arguments, **{name: value for name, value in changes.items() if name not in sizes}}
    filled: dict[str, Any] = {**values, "model": {**model, "kwargs": arguments}}
    if sizes:
        filled["sizes"] = sizes
    if "inputs" in values:
        filled["inputs"] = _fill(values["inputs"], {**arguments, **sizes})
    return filled


def _fill(value: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_fill(item, known) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {
        key: [_value(item, known) for item in part] if key in SIZED and isinstance(part, list) else _fill(part, known)
        for key, part in value.items()
    }


def _value(item: Any, known: Mapping[str, Any]) -> Any:
    if not isinstance(item, str):
        return item
    if item not in known:
        guess = nearest(item, known)
        raise ValueError(
            f"'{item}' is neither in model.kwargs nor in sizes" + (f"; did you mean '{guess}'?" if guess else "")
        )
    return known[item]
