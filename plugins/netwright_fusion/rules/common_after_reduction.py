"""What all elements of a reduction have in common, such as a gate of a whole channel, can be applied to its result."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import fx
from torch.fx.experimental.symbolic_shapes import statically_known_true

from netwright_fusion.graph import arguments, call, dtype, is_call, is_tensor, shape
from netwright_fusion.rules.infinity import may_be_hidden, stays_finite
from netwright_fusion.rules.matching import has_one_user, rank, unexpanded
from netwright_fusion.rules.reduction import Reduction, reduce, reduction_of, without
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


@dataclass(frozen=True)
class Combination:
    """A sum, difference or product of something, and of what is the same along some of the dimensions reduced.

    Attributes:
        common_first: Whether what is common is the first operand.
        dims: Those dimensions.
    """

    varying: fx.Node
    common: fx.Node
    common_first: bool
    dims: tuple[int, ...]


class CommonAfterReduction(NodeRule):
    """Times, or plus, a tensor that is the same along dimensions that are reduced: reduced along those first.

    Σ (g x) = g Σ x, Σ (x + t) = Σ x + n t, mean (x + t) = mean x + t, and max (x + t) = max x + t, where g and t have
    size 1 along what is summed: gates per channel, as of squeeze and excitation, or a term per sample. A layer's own
    sum or mean can then be had for less. An infinite gate makes NaN of elements of both signs, or of zeros, and may
    make an infinity of their sum.
    """

    name = "common term or factor after reduction"
    reason = "What all elements of a reduction have in common can be applied to its result."
    keeps_nan = False

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A reduction of a sum, difference or product with something common to its elements that nobody else needs."""
        found = reduction_of(node)
        if found is None or not has_one_user(found.source) or found.count == 1:
            return None
        both = _combination(found)
        if both is None:
            return None
        if not found.is_linear and may_be_hidden(node):
            return None  # to look for infinities would take as long as to add
        if is_call(found.source, aten.mul.Tensor):
            if not found.is_linear or (may_be_hidden(node) and not stays_finite(both.common)):
                return None
        elif found.kind == "sum" and Reduction("sum", found.source, both.dims, True).count is None:
            return None
        return Rewrite(f"{found.source.name} -> after {found.kind}", (found.source, node), _building(found, both))


def _combination(found: Reduction) -> Combination | None:
    product = found.source
    if not is_call(product, aten.mul.Tensor, aten.add.Tensor, aten.sub.Tensor):
        return None
    if arguments(product).get("alpha", 1) != 1 or not all(is_tensor(each) for each in product.args[:2]):
        return None
    one, other = (unexpanded(each) for each in product.args[:2])  # type: ignore[arg-type]
    if not dtype(one) == dtype(other) == dtype(product):
        return None
    for varying, common in ((one, other), (other, one)):
        dims = tuple(dim for dim in found.dims if _varies(varying, product, dim) and _is_one(common, product, dim))
        if dims and rank(varying) == rank(product):
            first = common is one
            backwards = first and is_call(product, aten.sub.Tensor) and not found.is_linear
            return None if backwards else Combination(varying, common, first, dims)
    return None


def _varies(node: fx.Node, product: fx.Node, dim: int) -> bool:
    return not _is_one(node, product, dim) and not _is_one(product, product, dim)


def _is_one(node: fx.Node, product: fx.Node, dim: int) -> bool:
    """Whether an operand is the same along a dimension of the product."""
    own = dim - rank(product) + rank(node)
    return own < 0 or statically_known_true(shape(node)[own] == 1)


def _building(found: Reduction, both: Combination) -> Callable[[fx.Graph], fx.Node]:
    rest = tuple(dim for dim in found.dims if dim not in both.dims)
    keepdim = found.keepdim or bool(rest)

    def build(graph: fx.Graph) -> fx.Node:
        reduced = reduce(graph, found.kind, both.varying, both.dims, keepdim=keepdim)
        offset = rank(found.source) - rank(both.common)
        gone = tuple(dim - offset for dim in both.dims if dim >= offset)
        common = without(graph, both.common, gone, keepdim=keepdim)
        if found.kind == "sum" and not is_call(found.source, aten.mul.Tensor):
            common = call(graph, aten.mul.Tensor, common, Reduction("sum", found.source, both.dims, True).count)
        operands = (common, reduced) if both.common_first else (reduced, common)
        combined = call(graph, found.source.target, *operands)  # type: ignore[arg-type]
        result = reduce(graph, found.kind, combined, rest, keepdim=True)
        return without(graph, result, found.dims, keepdim=found.keepdim) if rest else result

    return build
