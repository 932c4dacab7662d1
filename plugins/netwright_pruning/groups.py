"""Channel groups: the channels of a model that can only be removed together, found by torch-pruning."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch_pruning as tp
from torch import Tensor, nn
from torch_pruning.dependency import DependencyGraph

from netwright.cases import Inputs, map_tensors
from netwright.errors import NetwrightError

Graph = Any
"""torch-pruning's `DependencyGraph`; its annotations do not hold what they promise."""

Group = Any
"""torch-pruning's `Group`: items of a dependency (layer, function that cuts it) and the indices to cut."""


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that can only be removed together, counted at the layer that produces them.

    Attributes:
        name: That layer's name in the model.
        channels: How many it produces.
        blocks: How many equal parts they fall into (grouped convolution, group norm); a channel goes from each at once.
        pattern: The structure of the group, equal for isomorphic groups.
    """

    name: str
    channels: int
    blocks: int
    pattern: tuple[str, ...]

    @property
    def units(self) -> int:
        """How many times something can be removed: channels per block."""
        return self.channels // self.blocks


def call(model: nn.Module, inputs: Inputs) -> list[Tensor]:
    """One forward; all tensors of the output, in order."""
    tensors: list[Tensor] = []
    map_tensors(_plain(model(*inputs.args, **inputs.kwargs)), tensors.append)
    return tensors


def trace(model: nn.Module, inputs: Inputs) -> Graph:
    """The dependency graph of a model, which is left in eval mode with gradients required everywhere.

    Raises:
        NetwrightError: The forward fails, or does not lead from weights to outputs in a way that can be followed.
    """
    for parameter in model.parameters():
        if parameter.is_floating_point():
            parameter.requires_grad_(True)
    graph: Graph = DependencyGraph()  # type: ignore[no-untyped-call]
    try:
        with torch.enable_grad():
            return graph.build_dependency(model, inputs, forward_fn=_traced_forward, verbose=False)
    except NetwrightError:
        raise
    except Exception as error:  # the model's own code may raise anything
        what = f"the layers of {type(model).__name__} cannot be followed through its forward"
        raise NetwrightError(what, why=" ".join(f"{type(error).__name__}: {error}".split())) from error


def prunable_groups(graph: Graph) -> Iterator[tuple[ChannelGroup, Group]]:
    """All groups but those that reach the model's output, in the order of the forward's trace."""
    for group in graph.get_all_groups():
        if any(dep.target.type == tp.ops.OPTYPE.OUTPUT for dep, _ in group):
            continue
        channels, blocks = len(group[0].idxs), _blocks(graph, group)
        if channels % blocks == 0:
            yield ChannelGroup(graph._module2name[group[0].dep.layer], channels, blocks, _pattern(group)), group


def _traced_forward(model: nn.Module, inputs: Inputs) -> list[Tensor]:
    """The outputs behind one more operation: torch-pruning sees an output only where no layer produced it directly."""
    outputs = [output * 1 for output in call(model, inputs) if output.requires_grad]
    if not outputs:
        why = "no output depends on a weight in a differentiable way"
        raise NetwrightError(f"the layers of {type(model).__name__} cannot be followed through its forward", why=why)
    return outputs


def _plain(output: Any) -> Any:
    """Model outputs of transformers are mappings of their own kind."""
    return output.to_tuple() if hasattr(output, "to_tuple") else output


def _blocks(graph: Graph, group: Group) -> int:
    blocks = 1
    for dep, _ in group:
        layer = dep.layer
        if isinstance(layer, tp.ops.TORCH_CONV) and layer.groups == layer.out_channels:
            continue  # depthwise: every channel is its own block and goes on its own
        pruner = graph.get_pruner_of_module(layer)
        outwards = graph.is_out_channel_pruning_fn(dep.handler)
        blocks = max(blocks, pruner.get_out_channel_groups(layer) if outwards else pruner.get_in_channel_groups(layer))
    return blocks


def _pattern(group: Group) -> tuple[str, ...]:
    def link(dep: Any) -> str:
        return f"{type(dep.source.module).__name__}>{type(dep.target.module).__name__}.{dep.handler.__name__}"

    return tuple(link(dep) for dep, _ in group)
