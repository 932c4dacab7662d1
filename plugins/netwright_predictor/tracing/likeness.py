"""Likeness: whether two modules are built alike, so that one call tells of both."""

import inspect
from collections.abc import Hashable

from torch import nn

INDICES = frozenset({"layer_idx", "layer_id", "layer_index", "layer_number", "idx", "block_idx"})
"""Attributes that say which of several layers a module is, not how it computes."""
SCALARS = (bool, int, float, str, type(None))


def likeness(module: nn.Module) -> Hashable:
    """What two modules have in common if they compute alike: class, scalars, shapes and types of parameters, children.

    Settings of a config that a module keeps count through the scalars that it took from there.
    """
    own = {**module._parameters, **module._buffers}
    tensors = tuple((name, tuple(each.shape), each.dtype) for name, each in own.items() if each is not None)
    children = tuple((name, likeness(child)) for name, child in module._modules.items() if child is not None)
    scalars = tuple(sorted(attributes(module).items(), key=repr))
    return type(module), scalars, _layer_type(module), tensors, children


def _layer_type(module: nn.Module) -> Hashable:
    """What the config calls the layer that a module belongs to: layers may be told apart by nothing else."""
    types, index = getattr(getattr(module, "config", None), "layer_types", None), getattr(module, "layer_idx", None)
    return types[index] if isinstance(types, list | tuple) and isinstance(index, int) and index < len(types) else None


def attributes(module: nn.Module) -> dict[str, Hashable]:
    """A module's own public scalars, tuples of them and functions by name, without indices."""
    found: dict[str, Hashable] = {}
    for name, value in vars(module).items():
        if name.startswith("_") or name in INDICES:
            continue
        if isinstance(value, SCALARS):
            found[name] = value
        elif isinstance(value, tuple | list) and all(isinstance(each, SCALARS) for each in value):
            found[name] = tuple(value)
        elif inspect.isroutine(value):
            found[name] = getattr(value, "__qualname__", type(value).__qualname__)
    return found
