"""Surgery: removing channel groups from a model step by step, undoing every step that breaks the forward."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from netwright.cases import Inputs
from netwright_pruning.bindings import Binding
from netwright_pruning.groups import Graph, call, trace
from netwright_pruning.labels import Axis
from netwright_pruning.members import is_transposed_linear, output_dim
from netwright_pruning.multihead import open_up
from netwright_pruning.temperature import factor_for, rescale

GATES = {"LSTM": 4, "GRU": 3}
"""Rows of a recurrent layer's weights per hidden unit, where they are several."""


@dataclass(frozen=True)
class Fault:
    """A step that was undone.

    Attributes:
        group: The group whose channels were to go.
        module: The module that cannot do without them, as far as that is known.
        reason: What went wrong, one line.
    """

    group: str
    module: str
    reason: str


class Surgeon:
    """Removes channels from `model`, in place; the model is in eval mode afterwards.

    Args:
        model: A copy that nobody else uses.
        inputs: The arguments of one forward call, on the model's device.
        graph: The trace of the same model, uncut; made here where it is not given.
    """

    def __init__(self, model: nn.Module, inputs: Inputs, graph: Graph | None = None) -> None:
        self.model = model.eval()
        open_up(self.model)
        self.inputs = inputs
        self.graph = trace(model, inputs) if graph is None else graph
        self.gone = np.zeros(len(self.graph.labels), bool)
        self._depthwise = {module for module in model.modules() if _is_depthwise(module)}
        self._axes = self.graph.weights

    def remove_all(self, cuts: Mapping[str, list[int]]) -> bool:
        """Remove the channels of all groups, with one forward at the end.

        Returns:
            Whether the model still works; if not, it is of no further use.
        """
        try:
            self.remove_quietly(cuts)
            return self._forward_shapes() == self.graph.shapes
        except Exception:  # the model's own code may raise anything; `remove_each` says what and where
            return False

    def remove_quietly(self, cuts: Mapping[str, list[int]]) -> None:
        """Remove the channels of all groups without a forward; raises where a layer would lose all of its channels."""
        self._cut([self.graph.classes(name, channels) for name, channels in cuts.items()])

    def remove_each(self, cuts: Mapping[str, list[int]]) -> list[Fault]:
        """Remove the channels of as many groups as the model works without.

        They are removed together where that works. Where it does not, groups in modules of the kind at fault are
        removed after the others, and half by half, so that a few faults cost a few forwards.

        Returns:
            The groups whose removal was undone because the forward failed or its outputs changed their shapes.
        """
        names = list(cuts)
        if len(names) <= 1:
            return [fault for name in names if (fault := self.remove(name, cuts[name]))]
        culprit = self._remove_together(cuts)
        if culprit is None:
            return []
        suspects = [name for name in names if self._touches(name, culprit)]
        rest = [name for name in names if name not in suspects]
        parts = (rest, suspects) if suspects and rest else (names[: len(names) // 2], names[len(names) // 2 :])
        return [fault for part in parts for fault in self.remove_each({name: cuts[name] for name in part})]

    def _remove_together(self, cuts: Mapping[str, list[int]]) -> str | None:
        """Remove the channels of all groups or of none; the module that cannot do without them, or "" for any."""
        before, gone, axes = _Snapshot(self.model), self.gone.copy(), self._axes
        culprit = ""
        try:
            classes = [self.graph.classes(name, channels) for name, channels in cuts.items()]
            if all(self.graph.labels.free(some).all() for some in classes):
                self._cut(classes)
                if self._forward_shapes() == self.graph.shapes:
                    return None
        except Exception as error:  # the model's own code may raise anything
            culprit = module_at_fault(error, self.model)
        before.restore()
        self.gone, self._axes = gone, axes
        return culprit

    def _touches(self, group: str, culprit: str) -> bool:
        """Whether a group has weights in a module of the culprit's kind."""
        if not culprit or group not in self.graph.groups:
            return False
        kinds = {type(self.model.get_submodule(name)) for name in (culprit, culprit.rpartition(".")[0])}
        kinds -= {nn.Sequential, nn.ModuleList, type(self.model)}
        owners = {owner for member in self.graph.groups[group].members for owner in _owners(member.module)}
        return any(type(self.model.get_submodule(owner)) in kinds for owner in owners)

    def remove(self, name: str, channels: list[int]) -> Fault | None:
        """Remove the channels of one group, or say why that cannot be."""
        expected = self.graph.shapes
        before = _Snapshot(self.model)
        gone, axes = self.gone.copy(), self._axes
        try:
            classes = self.graph.classes(name, channels)
            if not self.graph.labels.free(classes).all():
                module, what = self.graph.labels.reason(int(classes[0])) or (name, "it is fixed")
                return Fault(name, module or name, f"channels cannot go: {what}")
            self._cut([classes])
            shapes = self._forward_shapes()
        except Exception as error:
            fault = Fault(name, module_at_fault(error, self.model) or name, _one_line(error))
        else:
            if shapes == expected:
                return None
            fault = Fault(name, name, f"the outputs' shapes {expected} became {shapes}")
        before.restore()
        self.gone, self._axes = gone, axes
        return fault

    def kept_outputs(self) -> dict[str, tuple[int, ...]]:
        """Per layer with a weight, which of the uncut layer's output channels remain, in order."""
        kept = {}
        for name, axes in self.graph.weights.items():
            owner, _, leaf = name.rpartition(".")
            dim = output_dim(self.model.get_submodule(owner), leaf) if leaf == "weight" else None
            if dim is not None:
                kept[owner] = tuple(np.flatnonzero(~self.gone[axes[dim]]).tolist())
        return kept

    def _cut(self, classes: Sequence[Axis]) -> None:
        widths = self._head_widths()
        for some in classes:
            self.gone[some] = True
        replaced: dict[int, Tensor] = {}
        axes = {}
        for name, old in self._axes.items():
            axes[name] = [axis[~self.gone[axis]] for axis in old]
            if [len(axis) for axis in axes[name]] != [len(axis) for axis in old]:
                self._narrow(name, old, replaced)
        self._axes = axes
        for binding in self.graph.bindings:
            self._mirror(binding)
        factors = {
            module: factor_for(widths[module], width)
            for module, width in self._head_widths().items()
            if width != widths[module]
        }
        if factors and not any(parameter.is_meta for parameter in self.model.parameters()):
            rescale(self.model, lambda: call(self.model, self.inputs), factors)

    def _head_widths(self) -> dict[str, int]:
        """Per module whose attention is scaled by the width of its heads, that width."""
        return {softmax.module: int((~self.gone[softmax.axis]).sum()) for softmax in self.graph.softmaxes}

    def _narrow(self, name: str, axes: list[Axis], replaced: dict[int, Tensor]) -> None:
        owner, _, leaf = name.rpartition(".")
        module = self.model.get_submodule(owner)
        old: Tensor = getattr(module, leaf)
        new = replaced.get(id(old))
        if new is None:
            new = old.detach()
            for dim, axis in enumerate(axes):
                kept = np.flatnonzero(~self.gone[axis])
                if not len(kept):
                    raise ValueError(f"all {len(axis)} channels of '{owner}' would go")
                if len(kept) < len(axis):
                    new = new.index_select(dim, torch.from_numpy(kept).to(new.device))
            if isinstance(old, nn.Parameter):
                new = nn.Parameter(new, requires_grad=old.requires_grad)
            replaced[id(old)] = new
        if isinstance(old, nn.Parameter):
            module._parameters[leaf] = new  # type: ignore[assignment]
        else:
            module._buffers[leaf] = new
        if output_dim(module, leaf) is not None:
            _mirror_layer(module, depthwise=module in self._depthwise)
        for attribute, value in vars(module).items():
            if "cache" in attribute and isinstance(value, dict):
                value.clear()  # what the forward has kept of the weights that were

    def _mirror(self, binding: Binding) -> None:
        """Set the attribute to the number of channels that remain."""
        module = self.model.get_submodule(binding.module)
        remaining = int((~self.gone[binding.axes[0]]).sum())
        if binding.place is None:
            setattr(module, binding.attribute, remaining)
            return
        value = getattr(module, binding.attribute)
        changed = [remaining if place == binding.place else number for place, number in enumerate(value)]
        setattr(module, binding.attribute, type(value)(changed))

    def _forward_shapes(self) -> tuple[tuple[int, ...], ...]:
        with torch.no_grad():
            return tuple(tuple(output.shape) for output in call(self.model, self.inputs))


class _Snapshot:
    """All that removing channels can change: the attributes of modules."""

    def __init__(self, model: nn.Module) -> None:
        self._attributes = {module: _attributes(module) for module in model.modules()}

    def restore(self) -> None:
        for module, attributes in self._attributes.items():
            module.__dict__.clear()
            module.__dict__.update(attributes)


def _attributes(module: nn.Module) -> dict[str, Any]:
    return {
        name: copy.copy(value) if isinstance(value, (dict, list)) else value for name, value in vars(module).items()
    }


def _is_depthwise(module: nn.Module) -> bool:
    return isinstance(module, _ConvNd) and module.groups > 1 and module.groups == module.in_channels


def _owners(module: str) -> tuple[str, str]:
    """A module and the one that it belongs to."""
    return module, module.rpartition(".")[0]


def _mirror_layer(module: nn.Module, *, depthwise: bool) -> None:
    """Set a layer's own numbers of channels to those of its weight."""
    if isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif is_transposed_linear(module):
        vars(module)["nx"], vars(module)["nf"] = module.get_parameter("weight").shape
    elif isinstance(module, nn.Embedding):
        module.embedding_dim = module.weight.shape[1]
    elif isinstance(module, nn.RNNBase):
        module.input_size = module.get_parameter("weight_ih_l0").shape[1]
        outputs, inputs = module.get_parameter("weight_hh_l0").shape
        module.hidden_size = outputs // GATES.get(module.mode, 1)
        module.proj_size = inputs if module.proj_size else 0
    elif isinstance(module, _ConvNd):
        first, second = module.weight.shape[:2]
        if module.transposed:
            module.groups = first if depthwise else module.groups
            module.in_channels, module.out_channels = first, second * module.groups
        elif depthwise:  # a channel is a group
            module.groups = first // (module.out_channels // module.in_channels)
            module.in_channels, module.out_channels = module.groups, first
        else:
            module.in_channels, module.out_channels = second * module.groups, first


def module_at_fault(error: BaseException, model: nn.Module) -> str:
    """The name of the innermost module whose code raised `error`, or "" when none did."""
    names = {module: name for name, module in model.named_modules()}
    fault, frames = "", error.__traceback__
    while frames is not None:
        owner = frames.tb_frame.f_locals.get("self")
        if isinstance(owner, nn.Module):
            fault = names.get(owner, fault)
        frames = frames.tb_next
    return fault


def _one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
