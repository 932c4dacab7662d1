"""Channel groups: the channels of a model that can only be removed together."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from torch import nn

from netwright.cases import Inputs
from netwright.errors import NetwrightError
from netwright_pruning.bindings import Binding, find_bindings
from netwright_pruning.heads import Heads
from netwright_pruning.labels import FIXED, Axis, Labels
from netwright_pruning.ledger import Ledger, Product
from netwright_pruning.members import Member, output_dim, torch_pruning_items
from netwright_pruning.rules import RULES, pointwise, unknown
from netwright_pruning.temperature import Softmax
from netwright_pruning.tracing import Axes, Reduction, Tracer, run_model

Group = Any
"""As torch-pruning's estimators take it: a list of items (dependency with the layer and its kind, indices)."""

call = run_model


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that can only be removed together, counted at the layer that produces them.

    Attributes:
        name: That layer's name in the model; a layer that produces several groups has a suffix in brackets.
        channels: How many it produces.
        blocks: How many of them go at once (grouped convolution, channels that are split, heads).
        pattern: The structure of the group, equal for isomorphic groups: per member, the kind of its module, the weight
            and the dimension, with a star where a unit is more than one index. So heads are told from the hidden units
            of an MLP, but not wide heads from narrow ones.
        layout: Per unit, the indices of its channels at the layer; by default channel i of every block makes unit i.
        classes: Per unit, its label.
        members: All that the group's channels belong to.
    """

    name: str
    channels: int
    blocks: int
    pattern: tuple[str, ...]
    layout: tuple[tuple[int, ...], ...] = ()
    classes: tuple[int, ...] = ()
    members: tuple[Member, ...] = field(default=(), repr=False)

    @property
    def units(self) -> int:
        """How many times something can be removed."""
        return self.channels // self.blocks

    def channels_of(self, unit: int) -> tuple[int, ...]:
        """The channels of one unit at the layer."""
        return self.layout[unit] if self.layout else tuple(range(unit, self.channels, self.units))


@dataclass(frozen=True)
class Graph:
    """What a trace found.

    Attributes:
        weights: Per name of a parameter or buffer, the classes of its dimensions' labels.
        groups: All groups that can be cut, in the order of the forward.
        held: Layers whose channels can never go, and why: the module and what in it needs them.
        reductions: Where the number of channels matters to the result.
        bindings: Attributes of modules that mirror a number of channels.
        ledger: What the model costs after a cut.
        softmaxes: Calls of attention whose scale depends on the width of a head.
        heads: What was taken to go from attention.
        shapes: Of the outputs.
    """

    model: nn.Module
    labels: Labels
    weights: dict[str, Axes]
    groups: dict[str, ChannelGroup]
    held: dict[str, tuple[str, str]]
    reductions: tuple[Reduction, ...]
    bindings: tuple[Binding, ...]
    ledger: Ledger
    softmaxes: tuple[Softmax, ...]
    heads: Heads
    shapes: tuple[tuple[int, ...], ...]

    def classes(self, name: str, channels: list[int]) -> Axis:
        """The labels of a group's channels, which are counted at its root; or of a layer's that can lose none."""
        if name in self.groups:
            root = self.groups[name].members[0]
        else:
            root = Member(name, "weight", output_dim(self.model.get_submodule(name), "weight") or 0, ())
        axis: Axis = self.weights[f"{root.module}.{root.weight}"][root.dim][channels]
        return axis


def trace(model: nn.Module, inputs: Inputs, *, heads: Heads = "whole", coupled: Collection[str] = ()) -> Graph:
    """The channel groups of a model, which is left in eval mode.

    Args:
        heads: What goes from attention.
        coupled: Modules whose code takes several widths for one, so that their channels have to go together.

    Raises:
        NetwrightError: The forward fails, or does not lead from weights to outputs in a way that can be followed.
    """
    what = f"the layers of {type(model).__name__} cannot be followed through its forward"
    model.eval()
    tracer = Tracer(model, RULES, pointwise, unknown, heads)
    try:
        tracer.run(lambda: run_model(model, inputs))
    except Exception as error:  # the model's own code may raise anything
        raise NetwrightError(what, why=" ".join(f"{type(error).__name__}: {error}".split())) from error
    if not any(tracer.follows(output) for output in tracer.outputs):
        raise NetwrightError(what, why="no output depends on a weight")
    for module in coupled:
        tracer.couple(module)
    groups, held = _groups(model, tracer)
    find = tracer.labels.find
    weights = {name: [find(axis) for axis in axes] for name, axes in tracer.weights.items()}
    reductions = tuple(replace(reduction, axis=find(reduction.axis)) for reduction in tracer.reductions)
    shapes = tuple(tuple(output.shape) for output in tracer.outputs)
    return Graph(
        model=model,
        labels=tracer.labels,
        weights=weights,
        groups=groups,
        held=held,
        reductions=reductions,
        bindings=find_bindings(model, tracer),
        ledger=_ledger(tracer),
        softmaxes=tuple(replace(softmax, axis=find(softmax.axis)) for softmax in tracer.softmaxes),
        heads=heads,
        shapes=shapes,
    )


def prunable_groups(graph: Graph, model: nn.Module | None = None) -> Iterator[tuple[ChannelGroup, Group]]:
    """All groups but those that something holds, in the order of the forward's trace.

    Args:
        model: Whose layers the items show; by default the one that was traced.
    """
    for group in graph.groups.values():
        yield group, torch_pruning_items(model or graph.model, group.layout, group.members)


def _ledger(tracer: Tracer) -> Ledger:
    find = tracer.labels.find
    products = [Product(product.constant, tuple(find(axis) for axis in product.axes)) for product in tracer.products]
    return Ledger(products, [[find(axis) for axis in axes] for axes in tracer.parameters()])


def _groups(model: nn.Module, tracer: Tracer) -> tuple[dict[str, ChannelGroup], dict[str, tuple[str, str]]]:
    """Classes of labels that lie in the same dimensions, equally often, make a group."""
    labels = tracer.labels
    produced = {label for axis in tracer.produced for label in np.unique(labels.find(axis)).tolist()}
    dimensions: list[tuple[str, int, Axis]] = []
    places: dict[int, list[tuple[int, int]]] = {}
    held: dict[str, tuple[str, str]] = {}
    for name in tracer.used:
        for dim, axis in enumerate(tracer.weights[name]):
            classes, counts = np.unique(labels.find(axis), return_counts=True)
            free = labels.free(classes)
            owner, _, leaf = name.rpartition(".")
            if not free.any() and dim == output_dim(model.get_submodule(owner), leaf):
                held[owner] = labels.reason(int(classes[-1])) or ("", "")
            for label, count in zip(classes[free].tolist(), counts[free].tolist(), strict=True):
                if label in produced and label != FIXED:
                    places.setdefault(label, []).append((len(dimensions), count))
            dimensions.append((name, dim, labels.find(axis)))
    together: dict[tuple[tuple[int, int], ...], list[int]] = {}
    for label, where in places.items():
        together.setdefault(tuple(where), []).append(label)
    found: dict[str, ChannelGroup] = {}
    for key, members in together.items():
        group = _group(model, [dimensions[index] for index, _ in key], members, found)
        if group is not None:
            found[group.name] = group
    return found, held


def _group(
    model: nn.Module,
    places: list[tuple[str, int, Axis]],
    classes: list[int],
    others: dict[str, ChannelGroup],
) -> ChannelGroup | None:
    root = next((p for p in places if _is_output(model, p[0], p[1])), None)
    if root is None:
        return None
    places = [root, *(place for place in places if place is not root)]
    members = []
    first = _indices(root[2], classes)
    order = sorted(range(len(classes)), key=lambda index: first[index])
    classes = [classes[index] for index in order]
    for name, dim, axis in places:
        owner, _, leaf = name.rpartition(".")
        members.append(Member(owner, leaf, dim, _indices(axis, classes)))
    name, number = members[0].module, 1
    while name in others:
        number += 1
        name = f"{members[0].module}[{number}]"
    layout = members[0].indices
    pattern = tuple(_structure(model, member) for member in members)
    blocks = len(layout[0])
    return ChannelGroup(name, blocks * len(classes), blocks, pattern, layout, tuple(classes), tuple(members))


def _structure(model: nn.Module, member: Member) -> str:
    """A member's part of its group's pattern."""
    several = "*" if len(member.indices[0]) > 1 else ""
    return f"{type(model.get_submodule(member.module)).__name__}.{member.weight}.{member.dim}{several}"


def _is_output(model: nn.Module, name: str, dim: int) -> bool:
    owner, _, leaf = name.rpartition(".")
    return output_dim(model.get_submodule(owner), leaf) == dim


def _indices(axis: Axis, classes: list[int]) -> tuple[tuple[int, ...], ...]:
    """Per class, where it lies on the axis."""
    order = axis.argsort(kind="stable")
    ordered = axis[order]
    starts, stops = np.searchsorted(ordered, classes), np.searchsorted(ordered, classes, side="right")
    return tuple(tuple(order[start:stop].tolist()) for start, stop in zip(starts, stops, strict=True))
