"""The architecture of a pruned model: how it differs from the one that its case builds."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from netwright.cases import Case, CaseOptions, map_tensors
from netwright.cases.module import build_module
from netwright.errors import NetwrightError
from netwright.result import Record
from netwright_pruning.multihead import PrunedMultiheadAttention, open_up


class ResizedModule(Record):
    """One module that differs from the case's."""

    kind: str
    """The name of its class, for readers."""
    attributes: dict[str, Any] = {}
    """Plain attributes that differ, such as out_channels or num_heads."""
    shapes: dict[str, list[int]] = {}
    """Shapes of its own parameters and buffers that differ."""


class Architecture(Record):
    """The content of `architecture.json`."""

    format: Literal["netwright-pruned-model"] = "netwright-pruned-model"
    version: Literal[1] = 1
    case: str
    """The case whose module was pruned."""
    options: CaseOptions
    """How that module was built."""
    modules: dict[str, ResizedModule]
    """By dotted name, whatever differs from the case's own module."""
    weights_checksum: str
    """SHA-256 of `model.safetensors`."""
    netwright: str
    torch: str
    budget: dict[str, Any] = {}
    """How the budget was met."""
    scores: dict[str, float] = {}
    """What was measured of this model."""


def build_skeleton(case: Case) -> nn.Module:
    """The case's module in its own dtype, values undefined; on the meta device where a state dict holds all of it."""
    try:
        with torch.device("meta"):
            module = build_module(case, seed=0)
    except NetwrightError:  # its constructor looks at values
        module = build_module(case, seed=0)
    if any(tensor.is_meta for tensor in _unsaved_tensors(module)):
        module = build_module(case, seed=0)
    return module.to(getattr(torch, case.options.dtype)) if case.options.dtype else module


def compare(model: nn.Module, skeleton: nn.Module) -> dict[str, ResizedModule]:
    """What of `model` differs from `skeleton`, by module name.

    Raises:
        NetwrightError: They do not have the same modules.
    """
    originals = dict(skeleton.named_modules())
    if list(originals) != [name for name, _ in model.named_modules()]:
        raise NetwrightError("the model is not a pruned one of its case", why="its modules have other names")
    differences = {}
    for name, module in model.named_modules():
        if isinstance(module, PrunedMultiheadAttention):
            open_up(originals[name])
        attributes, shapes = _attributes(module), _shapes(module)
        before, before_shapes = _attributes(originals[name]), _shapes(originals[name])
        changed = {key: value for key, value in attributes.items() if key in before and before[key] != value}
        resized = {key: shape for key, shape in shapes.items() if before_shapes.get(key) != shape}
        if changed or resized:
            differences[name] = ResizedModule(kind=type(module).__name__, attributes=changed, shapes=resized)
    return differences


def rebuild(skeleton: nn.Module, modules: Mapping[str, ResizedModule], weights: Mapping[str, Tensor]) -> None:
    """Turn `skeleton` into the pruned model, in place.

    Raises:
        NetwrightError: Architecture and weights do not fit the skeleton, or each other.
    """
    for name, resized in modules.items():
        module = _find(skeleton, name)
        if resized.kind == PrunedMultiheadAttention.__name__:
            open_up(module)
        for attribute, value in resized.attributes.items():
            old = getattr(module, attribute, None)
            setattr(module, attribute, tuple(value) if isinstance(old, tuple) else value)
    expected = {**skeleton.state_dict(keep_vars=True), **resized_buffers(skeleton, modules)}
    if expected.keys() != weights.keys():
        odd = sorted(expected.keys() ^ weights.keys())
        raise NetwrightError("the weights are those of another model", why=f"only one of the two has '{odd[0]}'")
    shared: dict[Tensor, Tensor] = {}
    for name, old in expected.items():
        owner, _, leaf = name.rpartition(".")
        resized_shape = modules[owner].shapes.get(leaf) if owner in modules else None
        if list(weights[name].shape) != (resized_shape or list(old.shape)):
            raise NetwrightError(
                f"weight '{name}' has shape {tuple(weights[name].shape)}", why="its architecture differs"
            )
        _assign(_find(skeleton, owner), leaf, old, weights[name], shared)


def resized_buffers(model: nn.Module, modules: Mapping[str, ResizedModule]) -> dict[str, Tensor]:
    """The buffers of other shapes, by full name, those included that a state dict leaves out."""
    found = {}
    for name, resized in modules.items():
        for leaf, buffer in _find(model, name)._buffers.items():
            if leaf in resized.shapes and buffer is not None:
                found[f"{name}.{leaf}" if name else leaf] = buffer
    return found


def _assign(module: nn.Module, leaf: str, old: Tensor, new: Tensor, shared: dict[Tensor, Tensor]) -> None:
    """Put a weight in place; parameters that were one stay one as long as their values agree."""
    if not isinstance(old, nn.Parameter):
        module._buffers[leaf] = new
        return
    known = shared.get(old)
    if known is None or known.shape != new.shape or not torch.equal(known, new):
        known = nn.Parameter(new, requires_grad=old.requires_grad)
        shared.setdefault(old, known)
    setattr(module, leaf, known)


def _find(model: nn.Module, name: str) -> nn.Module:
    try:
        return model.get_submodule(name)
    except AttributeError:
        raise NetwrightError("the architecture is that of another model", why=f"there is no module '{name}'") from None


def _unsaved_tensors(module: nn.Module) -> list[Tensor]:
    """Tensors that a state dict does not hold: non-persistent buffers and plain attributes."""
    found: list[Tensor] = []
    for owner in module.modules():
        hidden = {name: owner._buffers[name] for name in owner._non_persistent_buffers_set}
        plain = {key: value for key, value in vars(owner).items() if key not in ("_parameters", "_buffers", "_modules")}
        map_tensors([hidden, plain], found.append)
    return found


def _attributes(module: nn.Module) -> dict[str, Any]:
    """A module's public attributes of plain types, sequences as lists."""
    found: dict[str, Any] = {}
    for name, value in vars(module).items():
        if name.startswith("_") or name == "training":
            continue
        if isinstance(value, (bool, int, float, str)):
            found[name] = value
        elif isinstance(value, (tuple, list)) and all(isinstance(item, (bool, int, float, str)) for item in value):
            found[name] = list(value)
    return found


def _shapes(module: nn.Module) -> dict[str, list[int]]:
    own = {**module._parameters, **module._buffers}
    return {name: list(tensor.shape) for name, tensor in own.items() if tensor is not None}
