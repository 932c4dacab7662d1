"""What tells layers apart that print alike: attributes, and lists of the config with an entry per layer."""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence

from torch import nn

Annotations = Mapping[int, Mapping[str, object]]
"""By the id of a module, the attributes that tell it from its siblings."""

SCALARS = (bool, int, float, str, type(None))
INDEX = re.compile(r"(^|_)(idx|id|index|number)$|^(layer|block)_num$")
"""Names of attributes that say which of several layers a module is, not how it computes."""
PER_LAYER = re.compile(r"_types?$")
"""Names of the config's lists that say what each layer is, such as layer_types and layers_block_type."""
PLACE = re.compile(r"(?:(?<=\.)|^)\d+(?=\.|$)")
"""A number in the dotted name of a module."""


def distinctions(model: nn.Module) -> Annotations:
    """What to show of the layers in every list of the model so that only equal ones look equal."""
    found: dict[int, dict[str, object]] = defaultdict(dict)
    for module in model.modules():
        for child in module.children():
            if isinstance(child, nn.ModuleList | nn.Sequential) and len(child) > 1:
                layers = list(child)
                for number, name, value in _distinguishing_attributes(layers):
                    found[number][name] = value
                for number, name, value in _distinguishing_entries(layers, getattr(module, "config", None), found):
                    found[number][name] = value
    return found


def _distinguishing_attributes(layers: Sequence[nn.Module]) -> Iterator[tuple[int, str, object]]:
    """Id of a module in a layer, name and value of an attribute that is not the same in all layers that print alike."""
    for positions in _alike(layers):
        modules = [dict(layers[position].named_modules(remove_duplicate=False)) for position in positions]
        for path, module in modules[0].items():
            peers = [each[path] for each in modules]
            for name in vars(module):
                values = [vars(peer).get(name) for peer in peers]
                if _is_telling(name, values, positions):
                    yield from ((id(peer), name, value) for peer, value in zip(peers, values, strict=True))


def _is_telling(name: str, values: list[object], positions: Sequence[int]) -> bool:
    if name.startswith("_") or name == "training" or INDEX.search(name) or not all(map(_is_plain, values)):
        return False
    kinds = {repr(PLACE.sub("#", value) if isinstance(value, str) else value) for value in values}
    if len(kinds) == 1:
        return False
    offsets = {
        value - position if isinstance(value, int) and not isinstance(value, bool) else None
        for value, position in zip(values, positions, strict=True)
    }
    return None in offsets or len(offsets) > 1 or len(values) < 3  # counting up with the layers is an index


def _distinguishing_entries(
    layers: Sequence[nn.Module], config: object, known: Annotations
) -> Iterator[tuple[int, str, object]]:
    """The same for lists of the config, where the layers' own attributes do not tell what the entry does."""
    if config is None:
        return
    for name, entries in list(vars(config).items()):
        if not (PER_LAYER.search(name) and isinstance(entries, list | tuple) and len(entries) == len(layers)):
            continue
        for positions in _alike(layers, known):
            if len({repr(entries[position]) for position in positions}) > 1:
                key = name.removesuffix("s")
                yield from ((id(layers[position]), key, entries[position]) for position in positions)


def _alike(layers: Sequence[nn.Module], known: Annotations | None = None) -> list[list[int]]:
    """The positions of layers that print alike, in groups of two and more."""
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for position, layer in enumerate(layers):
        groups[_print(layer, known or {})].append(position)
    return [positions for positions in groups.values() if len(positions) > 1]


def _print(module: nn.Module, known: Annotations) -> Hashable:
    """What a module looks like: class, arguments, shapes, what is known of it, and its children."""
    shapes = tuple((name, each.shape) for name, each in module.named_parameters(recurse=False))
    children = tuple((name, _print(child, known)) for name, child in module._modules.items() if child is not None)
    told = tuple(sorted((name, repr(value)) for name, value in known.get(id(module), {}).items()))
    return type(module), module.extra_repr(), shapes, told, children


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple | list):
        return all(isinstance(each, SCALARS) for each in value)
    return isinstance(value, SCALARS)
