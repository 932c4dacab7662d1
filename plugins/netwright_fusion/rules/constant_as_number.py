"""A tensor of one number that the forward makes itself is that number."""

import operator
from math import isnan

import torch
from torch import Tensor, fx

from netwright_fusion.functional import CONSTANT
from netwright_fusion.graph import arguments, call, dtype, is_call, is_tensor
from netwright_fusion.rules.matching import rank, same_sizes
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
ARITHMETIC = (aten.add.Tensor, aten.sub.Tensor, aten.mul.Tensor, aten.div.Tensor)
UPPER = (aten.min.other, aten.minimum.default)
LOWER = (aten.max.other, aten.maximum.default)


class ConstantAsNumber(NodeRule):
    """x + c, x · c and the like with c = `torch.tensor(2.0)`: the number; min (x, c) and max (x, c): a clamp.

    A tensor without dimensions does not widen another one's type, as a number does not. min (x, c) is x clamped from
    above, max (x, c) from below; NaN stays NaN in both, and infinities meet the same bound.
    """

    name = "constant as number"
    reason = "Other rules know bounds and factors that are numbers."
    conditions = "fixed weights"  # where x is c, gradients may differ

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A sum, product, minimum or the like of a tensor and such a constant."""
        if not is_call(node, *ARITHMETIC, *UPPER, *LOWER):
            return None
        one, other = node.args[:2]
        reversible = not is_call(node, aten.sub.Tensor, aten.div.Tensor) and arguments(node).get("alpha", 1) == 1
        for x, constant in ((one, other), (other, one))[: 1 + reversible]:
            number = _number(constant)
            if number is None or not isinstance(x, fx.Node) or not is_tensor(x) or not rank(x):
                continue
            if not dtype(x).is_floating_point or dtype(x) != dtype(node) or not same_sizes(x, node):
                continue
            return Rewrite(
                f"{node.name} -> with {number:g}",
                (node,),
                lambda graph, x=x, number=number: _build(graph, node, x, number),  # type: ignore[misc]
            )
        return None


def _number(node: object) -> float | None:
    """What a constant without dimensions holds; None of anything else."""
    if not isinstance(node, fx.Node) or not node.meta.get(CONSTANT) or not is_tensor(node) or rank(node):
        return None
    tensor: Tensor = operator.attrgetter(str(node.target))(node.graph.owning_module)
    if tensor.is_complex() or tensor.dtype is torch.bool or isnan(tensor):
        return None
    return float(tensor)


def _build(graph: fx.Graph, node: fx.Node, x: fx.Node, number: float) -> fx.Node:
    if is_call(node, *UPPER):
        return call(graph, aten.clamp.default, x, None, number)
    if is_call(node, *LOWER):
        return call(graph, aten.clamp.default, x, number)
    return call(graph, node.target, x, number, *node.args[2:], **node.kwargs)  # type: ignore[arg-type]
