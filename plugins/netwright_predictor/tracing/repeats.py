"""Repeats: layers that are alike run once per shape of input; the others hand on what the first returned."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_map

from netwright_predictor.tracing.likeness import likeness

Layers = tuple[nn.Module, ...]

_ALIKE: WeakKeyDictionary[nn.Module, tuple[Layers, ...]] = WeakKeyDictionary()


def alike_layers(model: nn.Module) -> tuple[Layers, ...]:
    """The layers of each list in a model that are alike, two or more together; found once per model."""
    if model not in _ALIKE:
        _ALIKE[model] = tuple(_groups(model))
    return _ALIKE[model]


def _groups(model: nn.Module) -> Iterator[Layers]:
    spared: set[nn.Module] = set()
    for container in model.modules():
        if not isinstance(container, nn.ModuleList) or container in spared:
            continue
        alike: dict[Hashable, list[nn.Module]] = {}
        for layer in container:
            if any(layer.children()):  # others are quickly run
                alike.setdefault(likeness(layer), []).append(layer)
        for layers in alike.values():
            if len(layers) > 1 and not any("forward" in vars(layer) for layer in layers):
                spared.update(inner for layer in layers[1:] for inner in layer.modules())
                yield tuple(layers)


def spared_modules(model: nn.Module) -> set[nn.Module]:
    """The modules of all layers but the first of those that are alike: they do not run, as long as shapes repeat."""
    return {inner for layers in alike_layers(model) for layer in layers[1:] for inner in layer.modules()}


@contextmanager
def skipped_repeats(
    model: nn.Module,
    note: Callable[[nn.Module, nn.Module], None],
    runs: Callable[[nn.Module], None] | None = None,
) -> Iterator[None]:
    """Inside the block, of layers in a list that are alike only the first computes.

    Args:
        note: Told of every call that was spared: the module, and the module whose call it would have repeated.
        runs: Told of every layer that is about to compute.
    """
    groups = alike_layers(model)
    for layers in groups:
        remembered: dict[Hashable, tuple[nn.Module, Any]] = {}
        for layer in layers:
            vars(layer)["forward"] = _remembering(layer, remembered, note, runs)
    try:
        yield
    finally:
        for layers in groups:
            for layer in layers:
                del vars(layer)["forward"]


def _remembering(
    layer: nn.Module,
    remembered: dict[Hashable, tuple[nn.Module, Any]],
    note: Callable[[nn.Module, nn.Module], None],
    runs: Callable[[nn.Module], None] | None,
) -> Callable[..., Any]:
    forward = layer.forward

    def call(*args: Any, **kwargs: Any) -> Any:
        key = _shape_of_call(args, kwargs)
        first, output = remembered.get(key, (layer, None))
        if first is layer:  # a layer that is called again does as much again
            if runs is not None:
                runs(layer)
            output = forward(*args, **kwargs)
            remembered[key] = layer, output
            return output
        note(layer, first)
        return tree_map(_like, output)

    return call


def _shape_of_call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Hashable:
    leaves, spec = tree_flatten((args, kwargs), is_leaf=_is_opaque)
    return spec, tuple(_shape_of(leaf) for leaf in leaves)


def _is_opaque(value: object) -> bool:
    """Caches and the like change as layers run; what is in them is no part of a call's shape."""
    return not isinstance(value, tuple | list | dict)


def _shape_of(leaf: object) -> Hashable:
    if isinstance(leaf, Tensor):
        return tuple(leaf.shape), leaf.dtype, leaf.requires_grad
    return leaf if leaf is None or isinstance(leaf, bool | int | float | str) else (type(leaf),)


def _like(value: Any) -> Any:
    if not isinstance(value, Tensor):
        return value
    return torch.empty_like(value).requires_grad_(value.requires_grad)
