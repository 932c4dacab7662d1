"""Isomorphic groups: layers whose channels hang together in the same way, so that their scores can be compared.

Fang et al., "Isomorphic Pruning for Vision Models", ECCV 2024, rank channels only within such groups.
"""

import re
from collections.abc import Mapping, Sequence

from torch import nn

from netwright.cases import Inputs
from netwright.errors import UserError, unknown_name
from netwright_pruning.core.dependencies import DependencyAnalyzer
from netwright_pruning.groups import ChannelGroup
from netwright_pruning.record import SubscriptableRecord

KINDS = {
    "attention": r"attn|attention|qkv|\bq\b|query|key|value",
    "mlp": r"mlp|ffn|feed_forward|intermediate|fc[12]\b|pwconv",
}
"""Kinds of group by what their layers are called; convolutions and the rest are told by their type."""


class IsomorphicGroup(SubscriptableRecord):
    """Groups of channels with the same structure."""

    name: str
    """The kind and a number, e.g. "attention_1"."""
    kind: str
    """attention, mlp, convolution, embedding or linear."""
    layers: list[str]
    """The layers that produce the channels, in the order of the forward."""
    coupled_layers: dict[str, list[str]]
    """Per such layer, the others whose channels go with its own."""
    pattern: list[str]
    """The structure that they share."""
    channels: int
    """Of all layers together."""
    pruning_ratio: float
    """The share of the channels that is to go."""
    remaining_channels: dict[str, int]
    """Per layer, how many then remain, in whole units."""


class IsomorphicAnalyzer:
    """Finds the isomorphic groups of a model; the model is left as it is.

    Args:
        model: Any module.
        inputs: As `DependencyAnalyzer` takes them.
    """

    def __init__(self, model: nn.Module, inputs: Inputs | Sequence[int] | None = None) -> None:
        self.dependencies = DependencyAnalyzer(model, inputs)

    def create_isomorphic_groups(
        self, target_ratio: float, group_ratios: Mapping[str, float] | None = None
    ) -> dict[str, IsomorphicGroup]:
        """Group the prunable layers by structure, and say how many channels of each remain.

        Args:
            target_ratio: The share of each layer's channels that is to go, from 0 to below 1.
            group_ratios: Other ratios, by a group's kind ("mlp") or its name ("mlp_2"); the name counts more.

        Raises:
            UserError: A ratio is out of range, or names no group of this model (the nearest is shown).
        """
        graph = self.dependencies.graph
        together: dict[tuple[str, ...], list[ChannelGroup]] = {}
        for group in graph.groups.values():  # by kind, too: ratios may be told by it
            together.setdefault((self._kind(group), *group.pattern), []).append(group)
        numbers: dict[str, int] = {}
        named: dict[str, tuple[str, list[ChannelGroup]]] = {}
        for members in together.values():
            kind = self._kind(members[0])
            numbers[kind] = numbers.get(kind, 0) + 1
            named[f"{kind}_{numbers[kind]}"] = kind, members
        ratios = dict(group_ratios or {})
        _check_ratios(target_ratio, ratios, {*named, *numbers})
        return {
            name: self._describe(name, kind, members, ratios.get(name, ratios.get(kind, target_ratio)))
            for name, (kind, members) in named.items()
        }

    def _describe(self, name: str, kind: str, members: list[ChannelGroup], ratio: float) -> IsomorphicGroup:
        layers = {group.name: group.name.partition("[")[0] for group in members}
        coupled = {layer: self.dependencies.get_coupled_layers(layer) for layer in layers.values()}
        return IsomorphicGroup(
            name=name,
            kind=kind,
            layers=list(layers.values()),
            coupled_layers=coupled,
            pattern=list(members[0].pattern),
            channels=sum(group.channels for group in members),
            pruning_ratio=ratio,
            remaining_channels={
                group.name: max(1, round((1 - ratio) * group.units)) * group.blocks for group in members
            },
        )

    def _kind(self, group: ChannelGroup) -> str:
        """By the layer that produces the channels, and the module that it belongs to."""
        layer = group.name.partition("[")[0]
        near = ".".join(layer.split(".")[-2:])
        for kind, words in KINDS.items():
            if re.search(words, near):
                return kind
        module = self.dependencies.graph.model.get_submodule(layer)
        if isinstance(module, nn.Embedding) or "embed" in near:
            return "embedding"
        return "convolution" if isinstance(module, nn.modules.conv._ConvNd) else "linear"


def _remaining(group: ChannelGroup, ratio: float) -> int:
    return max(1, round((1 - ratio) * group.units)) * group.blocks


def _check_ratios(target_ratio: float, ratios: Mapping[str, float], known: set[str]) -> None:
    for name, ratio in {"target_ratio": target_ratio, **ratios}.items():
        if not 0 <= ratio < 1:
            raise UserError(f"ratio of '{name}' cannot be {ratio}", why="it is the share that goes, from 0 to below 1")
    for name in ratios:
        if name not in known:
            raise unknown_name("isomorphic group", name, known)
