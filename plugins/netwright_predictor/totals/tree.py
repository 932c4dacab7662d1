"""The tree: a model's modules with what each costs, layers that are alike as one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import nn

from netwright_predictor.analysis import ModuleCost
from netwright_predictor.prediction import How, Module
from netwright_predictor.totals.flops import ModuleFlops
from netwright_predictor.totals.traffic import Traffic


@dataclass(frozen=True)
class Priced:
    """A module itself, without its children, at certain sizes."""

    cost: ModuleCost
    flops: ModuleFlops
    counted: int
    traffic: Traffic
    weights_bytes: int
    """Of its own parameters as they are stored."""
    values: dict[str, int]
    """What the formulas of its first call are given."""


def build_tree(model: nn.Module, price: Callable[[str], Priced], origin: Callable[[str], str], name: str) -> Module:
    """The tree of a whole model.

    Args:
        price: Of the module at a path.
        origin: The path of the module whose calls are those of the module at a path; equal for layers alike.
        name: Of the root.
    """
    return _branch(model, "", name, 1, price, origin)


def _branch(
    module: nn.Module,
    path: str,
    name: str,
    repeat: int,
    price: Callable[[str], Priced],
    origin: Callable[[str], str],
) -> Module:
    own = price(path)
    children = [
        _branch(child, child_path, label, count, price, origin)
        for child, child_path, label, count in _children(module, path, origin)
    ]
    call = own.cost.calls[0] if own.cost.calls else None
    return Module(
        name=name,
        path=path,
        class_path=own.cost.class_path,
        repeat=repeat,
        parameters=sum(each.numel() for each in module._parameters.values() if each is not None)
        + sum(child.repeat * child.parameters for child in children),
        flops=own.counted + sum(child.repeat * child.flops for child in children),
        own_flops=own.counted,
        reads_bytes=own.traffic.reads,
        writes_bytes=own.traffic.writes,
        weights_bytes=own.weights_bytes + sum(child.repeat * child.weights_bytes for child in children),
        how=how_known(own.cost),
        analyzer=type(call.analyzer).__name__ if call is not None and call.known != "nothing" else "",
        formula=str(call.parameters["flops"]) if call is not None and call.known == "derived" else "",
        values=own.values,
        children=children,
    )


def how_known(cost: ModuleCost) -> How:
    """How a module's FLOPs are known, the weakest of its calls."""
    if cost.unexplained is not None:
        return "unknown"
    if not cost.calls:
        return "not called"
    known = {call.known for call in cost.calls}
    weakest: tuple[How, ...] = ("measured", "derived", "formula", "nothing")
    return next(each for each in weakest if each in known)


def _children(module: nn.Module, path: str, origin: Callable[[str], str]) -> Iterator[tuple[nn.Module, str, str, int]]:
    """Each child, neighbours in a list that are alike as one: module, path, label and how many it stands for."""
    named = [(name, child, f"{path}.{name}" if path else name) for name, child in module.named_children()]
    start = 0
    while start < len(named):
        name, child, child_path = named[start]
        end = start + 1
        if isinstance(module, nn.ModuleList):
            while end < len(named) and origin(named[end][2]) == origin(child_path):
                end += 1
        label = name if end == start + 1 else f"{name}-{named[end - 1][0]}"
        yield child, child_path, label, end - start
        start = end
