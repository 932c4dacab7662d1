"""Surgery: removing channel groups from a model step by step, undoing every step that breaks the forward."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from netwright.cases import Inputs
from netwright_pruning.groups import Graph, call, trace


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
    """

    def __init__(self, model: nn.Module, inputs: Inputs) -> None:
        self.model = model
        self.inputs = inputs
        self._graph = trace(model, inputs)
        self._tied = _tied_parameters(model)
        self._shapes = self._forward_shapes()

    def remove_all(self, cuts: Mapping[str, list[int]]) -> bool:
        """Remove the channels of all groups, with one forward at the end.

        Returns:
            Whether the model still works; if not, it is of no further use.
        """
        try:
            for name, channels in cuts.items():
                self._cut(name, channels)
            return self._forward_shapes() == self._shapes
        except Exception:  # the model's own code may raise anything; `remove_each` says what and where
            return False

    def remove_each(self, cuts: Mapping[str, list[int]]) -> list[Fault]:
        """Remove the channels of one group after the other, with a forward after each.

        Returns:
            The steps that were undone because the forward failed or its outputs changed their shapes.
        """
        return [fault for name, channels in cuts.items() if (fault := self._remove(name, channels))]

    def _remove(self, name: str, channels: list[int]) -> Fault | None:
        before = _Snapshot(self.model, self._graph)
        try:
            self._cut(name, channels)
            shapes = self._forward_shapes()
        except Exception as error:
            fault = Fault(name, _module_at_fault(error, self.model) or name, _one_line(error))
        else:
            if shapes == self._shapes:
                return None
            fault = Fault(name, name, f"the outputs' shapes {self._shapes} became {shapes}")
        before.restore()
        return fault

    def _cut(self, name: str, channels: list[int]) -> None:
        layer = self.model.get_submodule(name)
        function = self._graph.get_pruner_of_module(layer).prune_out_channels
        group = self._graph.get_pruning_group(layer, function, channels)
        for dep, indices in group:
            width = self._width(dep)
            if width is not None and width <= len(indices):
                loser = self._graph._module2name.get(dep.layer, dep.target.name)
                raise ValueError(f"all {width} channels of '{loser}' would go")
        group.prune(record_history=False)
        self._tie()

    def _tie(self) -> None:
        """Let parameters that were one be one again, where the cut left both the same."""
        for first, *others in self._tied:
            parameter = self.model.get_parameter(first)
            for name in others:
                other = self.model.get_parameter(name)
                if other.shape == parameter.shape and (other.is_meta or torch.equal(other, parameter)):
                    owner, _, leaf = name.rpartition(".")
                    setattr(self.model.get_submodule(owner), leaf, parameter)

    def _width(self, dep: Any) -> int | None:
        outwards = self._graph.is_out_channel_pruning_fn(dep.handler)
        find = self._graph.get_out_channels if outwards else self._graph.get_in_channels
        width: int | None = find(dep.target)
        return width

    def _forward_shapes(self) -> list[tuple[int, ...]]:
        with torch.no_grad():
            return [tuple(output.shape) for output in call(self.model, self.inputs)]


class _Snapshot:
    """All that removing channels can change: the attributes of modules, and the dependency graph's books."""

    def __init__(self, model: nn.Module, graph: Graph) -> None:
        self._graph = graph
        modules = {*model.modules(), *(module for module in graph.module2node if isinstance(module, nn.Module))}
        self._attributes = {module: _attributes(module) for module in modules}
        self._nodes = dict(graph.module2node)
        self._names = dict(graph._param_to_name)

    def restore(self) -> None:
        for module, attributes in self._attributes.items():
            module.__dict__.clear()
            module.__dict__.update(attributes)
        for module, node in self._nodes.items():
            node.module = module
        self._graph.module2node = self._nodes
        self._graph._param_to_name = self._names


def _attributes(module: nn.Module) -> dict[str, Any]:
    return {
        name: copy.copy(value) if isinstance(value, (dict, list)) else value for name, value in vars(module).items()
    }


def _tied_parameters(model: nn.Module) -> list[list[str]]:
    """The names of parameters that are one and the same, together."""
    names: dict[nn.Parameter, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(parameter, []).append(name)
    return [together for together in names.values() if len(together) > 1]


def _module_at_fault(error: BaseException, model: nn.Module) -> str:
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
