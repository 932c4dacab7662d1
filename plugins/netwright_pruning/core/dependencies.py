"""Dependencies between layers: whose channels go together, and who reads them."""

from collections.abc import Sequence
from functools import cached_property

from torch import nn

from netwright.cases import Inputs
from netwright.errors import unknown_name
from netwright_pruning.groups import ChannelGroup, Graph
from netwright_pruning.members import Member, output_dim
from netwright_pruning.rehearsal import Rehearsal
from netwright_pruning.utils.models import infer_inputs


class DependencyAnalyzer:
    """What the pruning engine knows of a model's layers; the model is left as it is.

    Args:
        model: Any module.
        inputs: The arguments of one forward, or the shape of its only tensor; None tries what suits the model.

    Raises:
        UserError: No input was given, and none that was tried works.
        NetwrightError: The model cannot be traced.
    """

    def __init__(self, model: nn.Module, inputs: Inputs | Sequence[int] | None = None) -> None:
        self.model = model
        self.inputs = inputs if isinstance(inputs, Inputs) else infer_inputs(model, inputs)

    @cached_property
    def graph(self) -> Graph:
        """The engine's own graph."""
        return Rehearsal(self.model, self.inputs).graph

    def get_dependency_graph(self) -> dict[str, list[str]]:
        """Per layer that produces channels, the other layers that change when it loses some, in order of the forward.

        Those are the layers that lose the same channels of their own, and those that read them. A layer whose
        channels cannot go has none.
        """
        found: dict[str, list[str]] = {layer: [] for layer in self.graph.held}
        for group in self.graph.groups.values():
            layers = _layers(group)
            for member in group.members:
                if _produces(self.graph, member):
                    others = found.setdefault(member.module, [])
                    others += [layer for layer in layers if layer != member.module and layer not in others]
        return found

    def get_coupling_constraints(self) -> list[str]:
        """One sentence per constraint that pruning must keep: what goes together, in which portions, and what stays."""
        sentences = []
        for group in self.graph.groups.values():
            coupled = self._coupled(group)
            if len(coupled) > 1:
                sentences.append(f"{_listed(coupled)} lose the same channels ({group.channels} of '{group.name}')")
            if group.blocks > 1:
                sentences.append(f"'{group.name}' loses channels {group.blocks} at a time ({group.units} units)")
        for layer, (module, reason) in self.graph.held.items():
            why = f": {reason}" + (f" in '{module}'" if module and module != layer else "") if reason else ""
            sentences.append(f"'{layer}' keeps all its channels{why}")
        return sentences

    def get_coupled_layers(self, layer_name: str) -> list[str]:
        """The other layers that lose the same channels as this one: they can only be pruned together.

        Raises:
            UserError: The model has no such layer with weights; the nearest is shown.
        """
        known = {name for name, module in self.model.named_modules() if name and list(module.parameters(False))}
        if layer_name not in known:
            raise unknown_name("layer", layer_name, known)
        found: list[str] = []
        for group in self.graph.groups.values():
            coupled = self._coupled(group)
            if layer_name in coupled:
                found += [layer for layer in coupled if layer != layer_name and layer not in found]
        return found

    def _coupled(self, group: ChannelGroup) -> list[str]:
        """The layers with channels of the group that are their own: producers, normalisations, scales."""
        model = self.graph.model
        own = [m for m in group.members if not _only_reads(model.get_submodule(m.module), m)]
        return list(dict.fromkeys(_layer(member) for member in own))


def _produces(graph: Graph, member: Member) -> bool:
    return member.dim == output_dim(graph.model.get_submodule(member.module), member.weight)


def _only_reads(module: nn.Module, member: Member) -> bool:
    """Whether the member is a layer's weight along its inputs."""
    outputs = output_dim(module, member.weight)
    return outputs is not None and member.dim != outputs


def _layers(group: ChannelGroup) -> list[str]:
    return list(dict.fromkeys(_layer(member) for member in group.members))


def _layer(member: Member) -> str:
    """The layer that a weight belongs to; a weight of the model itself (a position table) stands for itself."""
    return member.module or member.weight


def _listed(layers: Sequence[str]) -> str:
    names = [f"'{layer}'" for layer in layers]
    return f"{', '.join(names[:-1])} and {names[-1]}"
