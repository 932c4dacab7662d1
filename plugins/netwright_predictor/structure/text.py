"""The enhanced structure: a model as PyTorch prints it, with full class paths, shapes and what tells layers apart."""

from collections.abc import Mapping

from torch import nn

from netwright_predictor.structure.distinctions import Annotations, distinctions
from netwright_predictor.structure.node import StructureNode
from netwright_predictor.structure.parse import reads_as_module

CONTAINERS = (nn.ModuleList, nn.Sequential)
"""Whose equal children in a row are written as one."""
HOLDERS_OF_PARAMETERS = (nn.ParameterList, nn.ParameterDict)


def enhanced_structure(model: nn.Module) -> str:
    """The model as text, which `parse_structure` reads back.

    It is what `repr(model)` shows, but for these: every class but the model's own is a full path. Parameters that
    PyTorch's own arguments do not tell stand among the arguments as `name=Parameter(sizes)`, three-dimensional experts
    included. Layers that print alike and differ in a public attribute (`sliding_window`), or in what a list of the
    config says of each (`layer_types`), show it and stay apart; only equal ones in a row are written as
    `(0-31): 32 x ...`.
    """
    return structure_tree(model).render()


def structure_tree(model: nn.Module) -> StructureNode:
    """The same as a tree."""
    return _describe(model, "", type(model).__name__, distinctions(model))


def _describe(module: nn.Module, name: str, class_path: str, annotations: Annotations) -> StructureNode:
    children = [
        _describe(child, child_name, full_class_path(child), annotations)
        for child_name, child in module._modules.items()
        if child is not None
    ]
    if isinstance(module, CONTAINERS):
        children = _merge(children)
    return StructureNode(name, class_path, _arguments(module, annotations.get(id(module), {})), tuple(children))


def full_class_path(module: nn.Module) -> str:
    """The class of a module with the module that defines it."""
    return f"{type(module).__module__}.{type(module).__qualname__}"


def _arguments(module: nn.Module, annotations: Mapping[str, object]) -> str:
    said = "" if isinstance(module, HOLDERS_OF_PARAMETERS) else module.extra_repr()
    lines = [repr(line) if reads_as_module(line) else line for line in map(str.strip, said.splitlines()) if line]
    added = [f"{name}={value!r}" for name, value in annotations.items()]
    if not (said and type(module).__module__.startswith("torch.")):
        shapes = {name: ", ".join(map(str, each.shape)) for name, each in module.named_parameters(recurse=False)}
        added = [*(f"{name}=Parameter({shape})" for name, shape in shapes.items()), *added]
    if len(lines) <= 1:
        return ", ".join([*lines, *added])
    return "\n".join([*lines, *([", ".join(added)] if added else [])])


def _merge(children: list[StructureNode]) -> list[StructureNode]:
    """Equal children in a row as one."""
    runs: list[list[StructureNode]] = []
    for child in children:
        if runs and _alike(runs[-1][-1], child):
            runs[-1].append(child)
        else:
            runs.append([child])
    return [_as_one(run) for run in runs]


def _alike(one: StructureNode, other: StructureNode) -> bool:
    same = (one.class_path, one.arguments, one.children) == (other.class_path, other.arguments, other.children)
    return same and one.name.isdecimal() and other.name.isdecimal()


def _as_one(run: list[StructureNode]) -> StructureNode:
    first = run[0]
    if len(run) == 1:
        return first
    return StructureNode(
        f"{first.name}-{run[-1].name}", first.class_path, first.arguments, first.children, repeat=len(run)
    )
