"""ReLU and leaky ReLU spelt out in comparisons and choices are one operator each."""

from math import inf
from typing import Any

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, dtype, is_call, is_tensor, operator_name
from netwright_fusion.rules.affine import affine_of
from netwright_fusion.rules.infinity import stays_finite
from netwright_fusion.rules.matching import same_sizes, source
from netwright_fusion.rules.redundant_clamp import clamp_bounds
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
CHOICES = (aten.where.self, aten.where.ScalarOther, aten.where.ScalarSelf)
ABOVE = (aten.gt.Scalar, aten.ge.Scalar)
BELOW = (aten.lt.Scalar, aten.le.Scalar)
ZEROS = (aten.zeros_like.default, aten.zeros.default, aten.new_zeros.default)
CASTS = (aten.to.dtype, aten._to_copy.default, aten.type_as.default)
Rectifier = tuple[fx.Node, float]
"""What is rectified, and the slope below 0."""


class RectifierByHand(NodeRule):
    """x where it is positive, and a x or 0 elsewhere: leaky ReLU, or ReLU, by its name.

    So are max(x, a x) with 0 < a < 1, min(x, a x) with a > 1, max(x, 0), and max(x, 0) - a max(-x, 0). NaN is neither
    above nor below 0; wherever it goes here, it comes out as NaN, as it does of the operator. Infinities meet the same
    slopes.
    """

    name = "rectifier by hand"
    reason = "There is one operator for what the steps compute, which reads and writes the values once."
    conditions = "fixed weights"  # at 0, gradients may differ

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A choice, maximum, product or difference that computes what such an activation does."""
        found = self._rectifier(node) if is_tensor(node) and dtype(node).is_floating_point else None
        if found is None:
            return None
        x, slope = found
        if not same_sizes(x, node) or dtype(x) != dtype(node):
            return None
        if slope == 0:
            return Rewrite(f"{node.name} -> relu", (node,), lambda graph: call(graph, aten.relu.default, x))
        return Rewrite(
            f"{node.name} -> leaky_relu", (node,), lambda graph: call(graph, aten.leaky_relu.default, x, slope)
        )

    def _rectifier(self, node: fx.Node) -> Rectifier | None:
        found = _chosen(node)
        if found is not None:
            x, slope, keeps_nan = found
            return (x, slope) if keeps_nan else None
        return _extremum(node) or _difference(node)


class ReluByHand(RectifierByHand):
    """x where it is positive, else 0; or x times whether it is positive: ReLU by its name.

    That is so of numbers. A NaN is not positive, and becomes 0 where ReLU has NaN; and minus infinity times 0 is NaN
    where ReLU has 0.
    """

    name = "ReLU by hand"
    needs_finite = True

    def _rectifier(self, node: fx.Node) -> Rectifier | None:
        chosen = _chosen(node)
        x = chosen[0] if chosen is not None and not chosen[2] else _masked(node)
        return (x, 0.0) if x is not None and stays_finite(x) else None


def _chosen(node: fx.Node) -> tuple[fx.Node, float, bool] | None:
    """What a choice rectifies, its slope below 0, and whether NaN stays NaN."""
    if is_call(node, *CHOICES):
        condition, here, there = node.args[:3]
    elif is_call(node, aten.masked_fill.Scalar):
        there, condition, here = node.args[:3]
    else:
        return None
    x = _compared(condition, *ABOVE)
    positive, negative = (here, there) if x is not None else (there, here)
    x = x or _compared(condition, *BELOW)
    slope = _slope(negative, x) if x is not None and positive is x else None
    if x is None or slope is None:
        return None
    return x, slope, slope != 0 or is_call(condition, *BELOW)


def _compared(condition: Any, *operators: Any) -> fx.Node | None:
    """What a condition compares with 0."""
    return source(condition) if is_call(condition, *operators) and condition.args[1] == 0 else None


def _slope(operand: Any, x: fx.Node) -> float | None:
    """The number that x is multiplied with, 0 for zeros; None of anything else."""
    if isinstance(operand, int | float):
        return 0.0 if operand == 0 else None
    if is_call(operand, *ZEROS):
        return 0.0
    affine = affine_of(operand)
    return affine.number or None if affine is not None and affine.source is x else None


def _extremum(node: fx.Node) -> Rectifier | None:
    """max(x, 0), max(x, a x) or min(x, a x)."""
    if operator_name(node) not in ("maximum", "minimum", "max", "min") or len(node.args) < 2:
        return None
    for x, other in (node.args[:2], node.args[1::-1]):
        slope = _slope(other, x) if isinstance(x, fx.Node) and isinstance(other, fx.Node) else None
        if slope is not None and (0 <= slope < 1 if operator_name(node).startswith("max") else slope > 1):
            return x, slope  # type: ignore[return-value]
    return None


def _difference(node: fx.Node) -> Rectifier | None:
    """max(x, 0) - a max(-x, 0)."""
    if not is_call(node, aten.sub.Tensor) or arguments(node)["alpha"] != 1:
        return None
    above, below = node.args[:2]
    affine = affine_of(below)
    slope, mirrored = (1.0, below) if affine is None else (affine.number, affine.source)
    if clamp_bounds(above) != (0.0, inf) or clamp_bounds(mirrored) != (0.0, inf) or not slope:  # type: ignore[arg-type]
        return None
    minus = affine_of(source(mirrored))  # type: ignore[arg-type]
    x = source(above)  # type: ignore[arg-type]
    return (x, slope) if minus is not None and minus.number == -1 and minus.source is x else None


def _masked(node: fx.Node) -> fx.Node | None:
    """The x of x (x > 0)."""
    if not is_call(node, aten.mul.Tensor):
        return None
    for x, mask in (node.args[:2], node.args[1::-1]):
        condition = source(mask) if is_call(mask, *CASTS) else mask  # type: ignore[arg-type]
        if isinstance(x, fx.Node) and _compared(condition, *ABOVE) is x:
            return x
    return None
