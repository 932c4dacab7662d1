"""The rehearsal: cuts are tried on copies that hold no data, so that an attempt costs no arithmetic."""

import copy
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import nn

from netwright.cases import Inputs, map_tensors
from netwright.cost import Cost, count_cost
from netwright.errors import NetwrightError
from netwright_pruning.groups import call, trace
from netwright_pruning.heads import Heads
from netwright_pruning.multihead import open_up
from netwright_pruning.surgery import Fault, Surgeon, module_at_fault


class BrokenForwardError(Exception):
    """Cuts that leave the model unable to run.

    Attributes:
        faults: The groups that cannot be cut.
    """

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(f"{len(faults)} groups cannot be cut")
        self.faults = faults


class Rehearsal:
    """A stand-in for `model`, in eval mode, on which any number of cuts can be tried.

    It lies on the meta device where the model's forward works there, and is an ordinary copy otherwise.

    Attributes:
        model: The stand-in itself, uncut.
        inputs: The arguments of one forward call, beside it.
        graph: Its channel groups.
    """

    def __init__(self, model: nn.Module, inputs: Inputs, *, heads: Heads = "whole") -> None:
        self.model = _without_data(model).eval()
        open_up(self.model)
        self.inputs = map_tensors(inputs, lambda tensor: tensor.to("meta"))
        try:
            with torch.no_grad():
                call(self.model, self.inputs)
        except Exception:  # a forward that looks at values, or that makes tensors on a device of its own choice
            self.model, self.inputs = copy.deepcopy(model).eval(), inputs
            open_up(self.model)
        self._heads = heads
        self.graph = trace(self.model, self.inputs, heads=heads)
        self._coupled: set[str] = set()

    def culprit(self, cuts: Mapping[str, list[int]]) -> str | None:
        """The module that cannot do without the channels of `cuts`; None where the model works, "" if unknown."""
        surgeon = Surgeon(copy.deepcopy(self.model), self.inputs, self.graph)
        try:
            surgeon.remove_quietly(cuts)
            with torch.no_grad():
                shapes = tuple(tuple(output.shape) for output in call(surgeon.model, self.inputs))
        except Exception as error:  # the model's own code may raise anything
            return module_at_fault(error, surgeon.model)
        return None if shapes == self.graph.shapes else ""

    def couple(self, module: str) -> bool:
        """Let the widths in all modules of a kind be one each, and find the groups again; whether there was any.

        Args:
            module: One of them; of a plain layer, the module that it belongs to is meant as well.
        """
        kinds = {type(self.model.get_submodule(place)) for place in _suspects(self.model, module)}
        kinds -= {nn.Sequential, nn.ModuleList, type(self.model)}
        same = {name for name, other in self.model.named_modules() if type(other) in kinds}
        return self._couple(self._coupled | same)

    def uncouple(self, faults: Collection[Fault]) -> bool:
        """Take that back for the modules that are at fault all the same; whether there was any."""
        return self._couple(
            self._coupled - {place for fault in faults for place in _suspects(self.model, fault.module)}
        )

    def _couple(self, modules: set[str]) -> bool:
        if modules == self._coupled:
            return False
        self._coupled = modules
        self.graph = trace(self.model, self.inputs, heads=self._heads, coupled=sorted(modules))
        return True

    def faults(self, cuts: Mapping[str, list[int]]) -> list[Fault]:
        """The groups of `cuts` that the model does not work without, when they are cut one after the other."""
        if Surgeon(copy.deepcopy(self.model), self.inputs, self.graph).remove_all(cuts):
            return []
        return Surgeon(copy.deepcopy(self.model), self.inputs, self.graph).remove_each(cuts)

    def cost(self, cuts: Mapping[str, list[int]]) -> Cost:
        """What the model costs in eval mode after all cuts.

        Raises:
            BrokenForwardError: It does not work then.
            NetwrightError: It does not always work.
        """
        surgeon = Surgeon(copy.deepcopy(self.model), self.inputs, self.graph)
        try:
            surgeon.remove_quietly(cuts)
            return count_cost(surgeon.model, self.inputs)
        except (NetwrightError, ValueError) as error:
            faults = self.faults(cuts)
            if not faults:
                why = "its groups can be cut one by one but not together"
                raise NetwrightError("the model's forward fails", why=why) from error
            raise BrokenForwardError(faults) from error


def _suspects(model: nn.Module, module: str) -> list[str]:
    """A module at fault; of a plain layer, the module that it belongs to, whose code made its input."""
    leaf = module and not any(True for _ in model.get_submodule(module).children())
    return [module, module.rpartition(".")[0]] if leaf else [module]


def _without_data(model: nn.Module) -> nn.Module:
    """A copy of the model on the meta device; nothing of its size is allocated on the way."""
    memo: dict[int, Any] = {id(buffer): buffer.to("meta") for buffer in model.buffers()}
    for parameter in model.parameters():
        memo[id(parameter)] = nn.Parameter(parameter.detach().to("meta"), requires_grad=parameter.requires_grad)
    return copy.deepcopy(model, memo)
