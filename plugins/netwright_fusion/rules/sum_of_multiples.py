"""The sum of two multiples of one tensor is one multiple of it."""

from collections.abc import Iterator

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, dtype, is_call, is_tensor
from netwright_fusion.rules.affine import Affine, affine_of, scaled
from netwright_fusion.rules.matching import has_one_user, same_sizes
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
Term = tuple[fx.Node, float, tuple[Affine, ...]]
"""What is multiplied, the number that it is multiplied with, and what is added to it unscaled."""


class SumOfMultiples(NodeRule):
    """a x + b x, with numbers of one sign: (a + b) x; what is added to either term is added to the sum.

    So is x + x, and a scaled output that is added to what it was before: the layer that makes x can then have both in
    its weights. With one sign neither side can be infinity less infinity, and both overflow together; NaN stays NaN.
    """

    name = "sum of multiples"
    reason = "Two multiples of the same values add up to one."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A sum or difference of two multiples of one tensor, by numbers of one sign."""
        if not is_call(node, aten.add.Tensor, aten.sub.Tensor) or not dtype(node).is_floating_point:
            return None
        one, other = node.args[:2]
        if not isinstance(one, fx.Node) or not isinstance(other, fx.Node) or not is_tensor(one) or not is_tensor(other):
            return None
        sign = arguments(node)["alpha"] * (-1 if is_call(node, aten.sub.Tensor) else 1)
        for x, factor, shifts in _terms(one):
            for same, other_factor, other_shifts in _terms(other):
                others = sign * other_factor
                if same is not x or factor * others <= 0 or (other_shifts and sign != 1):
                    continue
                if not same_sizes(x, node) or dtype(x) != dtype(node):
                    continue
                total, added = factor + others, shifts + other_shifts
                return Rewrite(
                    f"{one.name} and {other.name} -> one multiple",
                    (node,),
                    lambda graph, x=x, total=total, added=added: _build(graph, x, total, added),  # type: ignore[misc]
                )
        return None


def _terms(node: fx.Node) -> Iterator[Term]:
    """The ways to see a node as a multiple of something, with or without a shift that it has had for this use alone."""
    yield node, 1.0, ()
    affine = affine_of(node)
    if affine is None:
        return
    if affine.number is not None:
        yield affine.source, affine.number, ()
    elif affine.shift is not None and has_one_user(node):
        yield affine.source, 1.0, (affine,)


def _build(graph: fx.Graph, x: fx.Node, factor: float, shifts: tuple[Affine, ...]) -> fx.Node:
    result = call(graph, aten.mul.Tensor, x, factor)
    for shift in shifts:
        result = scaled(graph, result, shift)
    return result
