"""The architecture as JSON: the seed's hierarchical representation of a model, and its published schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from netwright.errors import UserError
from netwright_predictor.structure.node import StructureNode

if TYPE_CHECKING:
    from torch import nn

SCHEMA_FILE = "model_representation_schema.json"


def architecture_json(model: nn.Module, model_id: str) -> dict[str, Any]:
    """The model as `model_representation_schema.json` describes it.

    A list of layers stands as its layers, each named after its class without the model's prefix ("decoder_layer"), as
    often as they repeat; every other module keeps its name. `path` says where a layer is found.
    """
    from netwright_predictor.structure.text import structure_tree  # brings torch, which reading does without

    return architecture_of(structure_tree(model), model_id)


def architecture_of(tree: StructureNode, model_id: str) -> dict[str, Any]:
    """The same from the tree of a structure text."""
    return {"model_id": model_id, "layers": _layers(tree, "", _prefix(tree.class_name))}


@cache
def architecture_schema() -> Mapping[str, Any]:
    """The JSON schema (draft 2020-12) of the architecture."""
    text = files("netwright_predictor.structure").joinpath(SCHEMA_FILE).read_text(encoding="utf-8")
    schema: Mapping[str, Any] = json.loads(text)
    return schema


def read_architecture(architecture: Mapping[str, Any]) -> StructureNode:
    """The tree that an architecture describes; its root stands for the model.

    Raises:
        UserError: It does not follow the schema; the message names the place.
    """
    model_id = architecture.get("model_id")
    if not isinstance(model_id, str):
        raise UserError("the architecture has no 'model_id'", why="it must be a text")
    return StructureNode("", model_id, children=_read_layers(architecture.get("layers"), "layers"))


def _layers(parent: StructureNode, path: str, prefix: str) -> list[dict[str, Any]]:
    found = []
    for child in parent.children:
        place = f"{path}.{child.name}" if path else child.name
        if child.class_name == "ModuleList" and child.children:
            found += [_layer(each, _role(each, prefix), f"{place}.{each.name}", prefix) for each in child.children]
        else:
            found.append(_layer(child, child.name, place, prefix))
    return found


def _layer(node: StructureNode, name: str, path: str, prefix: str) -> dict[str, Any]:
    layer: dict[str, Any] = {"name": name, "class": node.class_path, "path": path}
    if node.arguments:
        layer["arguments"] = node.arguments
    if node.repeat > 1:
        layer["repeat"] = node.repeat
    if node.children:
        layer["sub_layers"] = _layers(node, path, prefix)
    return layer


def _prefix(class_name: str) -> str:
    """What the classes of a model have in common: the model's own name without what it is for."""
    return re.split(r"For[A-Z]|LMHead|Model", class_name)[0]


def _role(node: StructureNode, prefix: str) -> str:
    name = node.class_name.removeprefix(prefix) or node.class_name
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _read_layers(layers: object, place: str) -> tuple[StructureNode, ...]:
    if not isinstance(layers, Sequence) or isinstance(layers, str):
        raise UserError(f"'{place}' of the architecture is no list", why=f"it is {type(layers).__name__}")
    return tuple(_read_layer(layer, f"{place}.{number}") for number, layer in enumerate(layers))


def _read_layer(layer: object, place: str) -> StructureNode:
    if not isinstance(layer, Mapping):
        raise UserError(f"'{place}' of the architecture is no object", why=f"it is {type(layer).__name__}")
    for key in ("name", "class"):
        if not (isinstance(layer.get(key), str) and layer[key]):
            raise UserError(f"'{place}' of the architecture has no '{key}'", why="it must be a text")
    repeat = layer.get("repeat", 1)
    if not isinstance(repeat, int) or isinstance(repeat, bool) or repeat < 1:
        raise UserError(f"'{place}.repeat' of the architecture cannot be {repeat!r}", why="it is a whole number from 1")
    arguments = layer.get("arguments", "")
    if not isinstance(arguments, str):
        raise UserError(f"'{place}.arguments' of the architecture is no text")
    children = _read_layers(layer.get("sub_layers", ()), f"{place}.sub_layers")
    return StructureNode(layer["name"], layer["class"], arguments, children, repeat=repeat)
