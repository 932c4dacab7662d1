"""What range a node's values lie in, for all inputs: from operators whose results are bounded."""

from collections.abc import Callable
from math import exp, inf, tanh

import torch
from torch import fx

from netwright_fusion.graph import arguments, dtype, is_call, is_tensor, names, operator_name, shape
from netwright_fusion.rules.convolution import average_pool_of, max_pool_of
from netwright_fusion.rules.matching import known, positive, rank

aten = torch.ops.aten
Range = tuple[float, float]
EVERYTHING: Range = (-inf, inf)
SELF_REDUCTIONS = (aten.mean.dim, aten.sum.dim_IntList, aten.amax.default, aten.amin.default)
DEPTH = 40
"""How far back to look."""

FIXED: dict[str, Range] = {
    "sigmoid": (0, 1),
    "hardsigmoid": (0, 1),
    "softmax": (0, 1),
    "log_softmax": (-inf, 0),
    "tanh": (-1, 1),
    "erf": (-1, 1),
    "softsign": (-1, 1),
    "sin": (-1, 1),
    "cos": (-1, 1),
    "sign": (-1, 1),
    "exp": (0, inf),
    "softplus": (0, inf),
    "log_sigmoid": (-inf, 0),
    "sqrt": (0, inf),
    "square": (0, inf),
    "relu": (0, inf),
    "relu6": (0, 6),
    "abs": (0, inf),
    "elu": (-inf, inf),
    "silu": (-0.2784645427610738, inf),
    "gelu": (-0.17004, inf),
    "mish": (-0.30885, inf),
}
KEEPS = names(
    """view reshape flatten unflatten squeeze unsqueeze permute transpose t expand expand_as slice select narrow
    contiguous clone amax amin flip roll unfold view_as movedim mean"""
)
"""Operators whose results are some of their input's values."""


def range_of(node: object) -> Range:
    """The least and largest value that a tensor can hold, NaN left aside; numbers are their own range."""
    return _range(node, DEPTH, {})


def _range(node: object, depth: int, seen: dict[fx.Node, Range]) -> Range:
    """The range of a node; each node's is found once, however many ways lead to it."""
    if isinstance(node, int | float):
        return float(node), float(node)
    if not isinstance(node, fx.Node):
        return EVERYTHING
    if node not in seen:
        seen[node] = _of_call(node, depth, seen)
    return seen[node]


def _of_call(node: fx.Node, depth: int, seen: dict[fx.Node, Range]) -> Range:
    if node.op != "call_function" or depth == 0 or not is_tensor(node) or not dtype(node).is_floating_point:
        return EVERYTHING  # integers may wrap around
    given = arguments(node) if hasattr(node.target, "_schema") else {}
    if not given:
        return EVERYTHING
    first = next(iter(given.values()))
    name = operator_name(node)
    if cancels(node):
        return 0.0, 0.0
    low, high = _range(first, depth - 1, seen)
    if (name in KEEPS and not is_call(node, aten.view.dtype)) or max_pool_of(node):
        return low, high
    if (pool := average_pool_of(node)) is not None and (pool.is_plain or not any(pool.padding)):
        return (low, high) if pool.divisor is None else EVERYTHING
    return _pointwise(node, name, given, (low, high), lambda each: _range(each, depth - 1, seen))


def _pointwise(
    node: fx.Node, name: str, given: dict[str, object], argument: Range, range_of_other: Callable[[object], Range]
) -> Range:
    low, high = argument
    if name == "softmax" and _is_over_one(node):
        return 1.0, 1.0
    if name == "log_softmax" and _is_over_one(node):
        return 0.0, 0.0
    if name in ("clamp", "hardtanh", "clamp_min", "clamp_max"):
        return _clamped(name, given, argument)
    if name == "relu":
        return max(low, 0.0), max(high, 0.0)
    if name in ("sigmoid", "tanh"):
        function = tanh if name == "tanh" else _sigmoid
        return function(low), function(high)
    if name == "neg":
        return -high, -low
    if name == "softplus" and given["beta"] <= 0:  # type: ignore[operator]
        return EVERYTHING
    if given.get("rounding_mode") is not None:
        return EVERYTHING
    if name in ("add", "sub", "mul", "div", "minimum", "maximum") and len(node.args) > 1:
        return _binary(node, name, argument, range_of_other(node.args[1]))
    if name == "dropout" and not given["train"]:
        return argument
    return FIXED.get(name, EVERYTHING)


def _binary(node: fx.Node, name: str, one: Range, other: Range) -> Range:
    if name in ("add", "sub"):
        if arguments(node)["alpha"] != 1:
            return EVERYTHING
        low, high = other if name == "add" else (-other[1], -other[0])
        return _number(one[0] + low, -inf), _number(one[1] + high, inf)
    if name == "minimum":
        return min(one[0], other[0]), min(one[1], other[1])
    if name == "maximum":
        return max(one[0], other[0]), max(one[1], other[1])
    if name == "div":
        if other[0] != other[1] or not other[0]:
            return EVERYTHING
        other = (1 / other[0], 1 / other[0])
    if one == (0.0, 0.0) or other == (0.0, 0.0):
        return 0.0, 0.0
    corners = [a * b for a in one for b in other]
    if any(corner != corner for corner in corners):
        return (0.0, inf) if one[0] >= 0 and other[0] >= 0 else EVERYTHING
    return min(corners), max(corners)


def _clamped(name: str, given: dict[str, object], argument: Range) -> Range:
    least = given.get("min_val" if name == "hardtanh" else "min")
    most = given.get("max_val" if name == "hardtanh" else "max")
    if isinstance(least, fx.Node) or isinstance(most, fx.Node):
        return EVERYTHING
    low, high = argument
    if isinstance(least, int | float):
        low, high = max(low, least), max(high, least)
    if isinstance(most, int | float):
        low, high = min(low, most), min(high, most)
    return low, high


def cancels(node: fx.Node) -> bool:
    """Whether a call subtracts a value from itself, or from its mean, maximum or minimum over nothing but itself."""
    if not is_call(node, aten.sub.Tensor) or arguments(node)["alpha"] != 1:
        return False
    one, other = node.args[:2]
    if one is other and isinstance(one, fx.Node):
        return True
    if not isinstance(other, fx.Node) or not is_call(other, *SELF_REDUCTIONS):
        return False
    given = arguments(other)
    if given["self"] is not one or not given["dim"] or not isinstance(one, fx.Node):
        return False
    sizes = [shape(one)[positive(dim, rank(one))] for dim in given["dim"]]
    return all(known(size) and size == 1 for size in sizes) and rank(other) == rank(one)


def _is_over_one(node: fx.Node) -> bool:
    given = arguments(node)
    size = shape(given["self"])[given["dim"]]
    return known(size) and size == 1


def _sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x)) if x > -700 else 0.0


def _number(x: float, otherwise: float) -> float:
    return otherwise if x != x else x
