"""Members of a group: the weights that its channels belong to, also as torch-pruning's estimators take them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch_pruning.pruner import function

PROJECTIONS = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
"""Of multi-head attention: linear layers that are no modules."""

RECURRENT = ("weight_ih_l", "weight_hh_l", "weight_hr_l")
"""How the same are called in recurrent layers, before the number of the layer."""

Indices = tuple[tuple[int, ...], ...]
"""Per unit, indices along a dimension."""


@dataclass(frozen=True)
class Member:
    """One dimension of a weight.

    Attributes:
        module: The name of the module that owns it.
        weight: Its name there.
        indices: Per unit of the group, where it lies.
    """

    module: str
    weight: str
    dim: int
    indices: Indices


@dataclass(frozen=True)
class Link:
    """What torch-pruning calls a dependency: a layer, and in which sense it loses channels."""

    name: str
    layer: nn.Module | nn.Parameter
    pruning_fn: Callable[..., Any]

    @property
    def handler(self) -> Callable[..., Any]:
        """As `pruning_fn`."""
        return self.pruning_fn

    @property
    def target(self) -> "Link":
        """As itself: some estimators ask the dependency for its target, and that for its module."""
        return self

    @property
    def module(self) -> nn.Module | nn.Parameter:
        """As `layer`."""
        return self.layer


@dataclass(frozen=True)
class Item:
    """A layer of a group and the indices that it would lose.

    Attributes:
        root_idxs: Per index, which score it adds to.
    """

    dep: Link
    idxs: list[int]
    root_idxs: list[int]

    def __iter__(self) -> Iterator[Any]:
        return iter((self.dep, self.idxs))


def output_dim(module: nn.Module, weight: str) -> int | None:
    """The dimension of a layer's weight along which it produces channels; None for any other weight."""
    if weight == "weight" and isinstance(module, (nn.Linear, _ConvNd)):
        return 1 if isinstance(module, _ConvNd) and module.transposed and module.groups == 1 else 0
    if weight == "weight" and (isinstance(module, nn.Embedding) or is_transposed_linear(module)):
        return 1
    return 0 if _is_projection(module, weight) else None


def _is_projection(module: nn.Module, weight: str) -> bool:
    """Whether a weight is that of a linear layer which is no module of its own."""
    return weight in PROJECTIONS or (isinstance(module, nn.RNNBase) and weight.startswith(RECURRENT))


def is_transposed_linear(module: nn.Module) -> bool:
    """Whether a module is transformers' Conv1D: a linear layer whose weight has the shape (inputs, outputs)."""
    return type(module).__name__ == "Conv1D" and hasattr(module, "nf")


def _as_linear(weight: nn.Parameter, bias: nn.Parameter | None, *, transposed: bool) -> nn.Linear:
    """A linear layer on the same weight, as estimators expect one."""
    with torch.device("meta"):
        linear = nn.Linear(1, 1, bias=False)
    linear.weight = nn.Parameter(weight.detach().T if transposed else weight.detach(), weight.requires_grad)
    if weight.grad is not None:
        linear.weight.grad = weight.grad.T if transposed else weight.grad
    linear.out_features, linear.in_features = linear.weight.shape
    linear.bias = bias  # type: ignore[assignment]
    return linear


def _layer(module: nn.Module, weight: str) -> nn.Module | nn.Parameter:
    """What torch-pruning's estimators are shown of a weight."""
    if is_transposed_linear(module):
        linear = _as_linear(module.get_parameter("weight"), module.get_parameter("bias"), transposed=True)
        if "input_rms" in vars(module):
            vars(linear)["input_rms"] = vars(module)["input_rms"]
        return linear
    if _is_projection(module, weight):
        bias = module._parameters.get(weight.replace("weight", "bias"))
        return _as_linear(module.get_parameter(weight), bias, transposed=False)
    return module if weight == "weight" else module.get_parameter(weight)


def torch_pruning_items(model: nn.Module, layout: Indices, members: tuple[Member, ...]) -> list[Item]:
    """The group for torch-pruning's estimators, its root first; scores are counted by the root's channels in order."""
    order = {channel: position for position, channel in enumerate(sorted(c for unit in layout for c in unit))}
    items = []
    for member in members:
        module = model.get_submodule(member.module)
        kind = _kind(module, member)
        if kind is None:
            continue
        pairs = [
            (index, order[unit[place % len(unit)]])
            for unit, indices in zip(layout, member.indices, strict=True)
            for place, index in enumerate(indices)
        ]
        if kind is function.prune_conv_in_channels and isinstance(module, _ConvNd) and not module.transposed:
            width = module.weight.shape[1]
            pairs = [(index + block * width, root) for block in range(module.groups) for index, root in pairs]
        pairs.sort()  # as estimators expect, the root's in particular
        link = Link(f"{member.module}.{member.weight}", _layer(module, member.weight), kind)
        items.append(Item(link, [index for index, _ in pairs], [root for _, root in pairs]))
    return items


def _kind(module: nn.Module, member: Member) -> Callable[..., Any] | None:
    """torch-pruning's name for what the layer loses; None for a weight that only goes along."""
    found: Callable[..., Any] | None = None
    if member.weight == "weight":
        outwards = member.dim == output_dim(module, "weight")
        if isinstance(module, _ConvNd):
            depthwise = module.groups > 1 and module.groups == module.out_channels
            if depthwise:
                found = function.prune_depthwise_conv_out_channels if outwards else None
            else:
                found = function.prune_conv_out_channels if outwards else function.prune_conv_in_channels
        elif isinstance(module, nn.Linear) or is_transposed_linear(module):
            found = function.prune_linear_out_channels if outwards else function.prune_linear_in_channels
        elif isinstance(module, _BatchNorm):
            found = function.prune_batchnorm_out_channels
        elif isinstance(module, nn.LayerNorm):
            found = function.prune_layernorm_out_channels
        elif isinstance(module, nn.GroupNorm):
            found = function.prune_groupnorm_out_channels
        elif isinstance(module, nn.Embedding):
            found = function.prune_embedding_out_channels
    elif _is_projection(module, member.weight):
        found = function.prune_linear_out_channels if member.dim == 0 else function.prune_linear_in_channels
    elif member.weight in module._parameters and member.weight != "bias":
        found = function.prune_parameter_out_channels
    return found
