"""Bindings: attributes of modules that mirror a number of channels, and are kept in step with it."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import nn
from torch.nn.modules.conv import _ConvNd

from netwright_pruning.heads import HEAD_COUNTS, numbers
from netwright_pruning.labels import Axis
from netwright_pruning.members import is_transposed_linear

if TYPE_CHECKING:
    from netwright_pruning.tracing import Tracer, Visit

NO_WIDTH = re.compile(
    r"(?<!split_)(?<!head_)(?<!hidden_)(?<!inner_)size|window|kernel|stride|pad|dilation|depth|ratio|resolution|shift|area|scale|grid|rank|eps|drop"
)
"""Attributes that never mean a number of channels."""

OF_HEADS = re.compile(r"attn|split|inner|all_head|hid|head|key|qk|proj")
"""Attributes that mean the width of all heads rather than that of the stream, where both are equal."""


OF_ONE_HEAD = re.compile(r"(\w+_)?head_dim|dim_head|key_dim|val_dim|qk_dim|head_size")
"""Attributes that mean the width of each head, which stays while whole heads go."""


@dataclass(frozen=True)
class Binding:
    """An attribute that mirrors how many channels remain on an axis.

    Attributes:
        place: Its index where the attribute is a sequence.
        axes: What it may mirror, likeliest first.
    """

    module: str
    attribute: str
    place: int | None
    axes: tuple[Axis, ...]


def find_bindings(model: nn.Module, tracer: "Tracer") -> tuple[Binding, ...]:
    """The attributes that mirror widths which were seen in their own module's code."""
    found: list[Binding] = []
    for name, module in model.named_modules():
        if isinstance(module, (_ConvNd, nn.Linear, nn.RNNBase)) or is_transposed_linear(module):
            continue  # theirs follow from their weights
        visit = tracer.visits.get(name) or tracer.visits.get(name.rpartition(".")[0])
        axes = _distinct(tracer, visit) if visit else []
        for attribute, value in vars(module).items():
            if attribute.startswith("_") or NO_WIDTH.search(attribute):
                continue
            called = name in tracer.visits or attribute in HEAD_COUNTS
            if not called and "shape" not in attribute:
                continue  # another of its functions is called, from the module that it belongs to
            if OF_ONE_HEAD.fullmatch(attribute) and tracer.heads == "whole" and _heads(module) > 1:
                continue
            for place, number in enumerate(value) if isinstance(value, (tuple, list)) else [(None, value)]:
                if not called and number not in numbers(model.get_submodule(name.rpartition(".")[0]), HEAD_COUNTS):
                    continue
                if isinstance(number, int) and not isinstance(number, bool) and number > 1:
                    candidates = _candidates(attribute, [axis for axis in axes if len(axis) == number], tracer)
                    if candidates:
                        found.append(Binding(name, attribute, place, candidates))
    return tuple(found)


def _candidates(attribute: str, axes: list[Axis], tracer: "Tracer") -> tuple[Axis, ...]:
    if attribute in HEAD_COUNTS and tracer.heads != "whole":
        return ()
    if OF_ONE_HEAD.fullmatch(attribute):
        return tuple(sorted(axes, key=lambda axis: len(np.unique(axis)) < len(axis)))
    if OF_HEADS.search(attribute):
        return tuple(sorted(axes, key=lambda axis: len(np.unique(axis))))  # a head goes as one
    return tuple(reversed(axes) if attribute.startswith("out_") else axes)  # inputs were seen first


def _distinct(tracer: "Tracer", visit: "Visit") -> list[Axis]:
    """The axes on which something can go, each once."""
    found: dict[bytes, Axis] = {}
    for axis in visit.axes:
        if tracer.labels.free(axis).any():
            classes = tracer.labels.find(axis)
            found.setdefault(classes.tobytes(), classes)
    return list(found.values())


def _heads(module: nn.Module) -> int:
    return max(numbers(module, HEAD_COUNTS), default=1)
