"""Elementwise products that are summed are a matrix product, whose terms need not be stored."""

from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any

import torch
from torch import fx
from torch.fx.experimental.symbolic_shapes import statically_known_true

from netwright_fusion.graph import call, dtype, is_call, is_tensor, shape, value
from netwright_fusion.rules.matching import has_one_user, rank, unexpanded
from netwright_fusion.rules.reduction import reduction_of
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
SHORTEST = 4
"""Fewer terms than that are as soon added up one by one."""


@dataclass(frozen=True)
class Factor:
    """One of two factors that are broadcast against each other.

    Attributes:
        node: The tensor before it is broadcast.
        dims: Those of the product in which it varies.
    """

    node: fx.Node
    dims: tuple[int, ...]


class SumOfProducts(NodeRule):
    """Product of two tensors that are broadcast against each other, then sum or mean: a matrix product.

    Σₖ a[.., k] b[.., k], with a or b the same along some other dimension, is a product of matrices (or of one with a
    vector), in batches along the dimensions that both have: attention or gates that weight values, scores of all pairs,
    weighted sums of features. The terms are added where they are made, instead of written and read again; they are the
    same on both sides, with the same special values. It must be measured, since a product of small matrices takes
    longer to call. Operands that would have to be copied in another order first are left alone.
    """

    name = "sum of products"
    reason = "A sum of products is a matrix product, which never stores its terms."
    measured = True

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A sum or mean, over dimensions that both have, of a product that nobody else needs."""
        found = reduction_of(node)
        if found is None or not found.is_linear or not has_one_user(found.source) or (found.count or 0) < SHORTEST:
            return None
        product = found.source
        if not is_call(product, aten.mul.Tensor) or not all(is_tensor(each) for each in product.args[:2]):
            return None
        one, other = (factor_of(each, rank(product)) for each in product.args[:2])
        if dtype(one.node) != dtype(product) or dtype(other.node) != dtype(product) or set(one.dims) == set(other.dims):
            return None
        present = {dim for dim, size in enumerate(shape(product)) if not _is_one(size)}
        if not set(found.dims) & present <= set(one.dims) & set(other.dims):
            return None
        if not all(_is_in_order(each, found.dims, set(one.dims) & set(other.dims)) for each in (one, other)):
            return None

        def build(graph: fx.Graph) -> fx.Node:
            result = matrix_product(graph, (one, other), rank(product), found.dims, keepdim=found.keepdim)
            return call(graph, aten.div.Tensor, result, found.count) if found.kind == "mean" else result

        return Rewrite(f"{product.name} -> matrix product", (product, node), build)


def factor_of(operand: Any, dims: int) -> Factor:
    """An operand of a product of that many dimensions, without expansions, and where it varies."""
    operand = unexpanded(operand)
    offset = dims - rank(operand)
    return Factor(operand, tuple(dim + offset for dim, size in enumerate(shape(operand)) if not _is_one(size)))


def _is_in_order(factor: Factor, summed: tuple[int, ...], common: set[int]) -> bool:
    """Whether those of a factor's dimensions that are summed, common to both, and its own stand together each."""
    kinds = [(dim in summed, dim in common) for dim in factor.dims]
    return len([kind for kind, before in zip(kinds, [None, *kinds], strict=False) if kind != before]) == len(set(kinds))


def _is_one(size: Any) -> bool:
    return statically_known_true(size == 1)


def matrix_product(
    graph: fx.Graph, factors: tuple[Factor, Factor], dims: int, summed: tuple[int, ...], *, keepdim: bool
) -> fx.Node:
    """The sum over some of `dims` dimensions of a product, which is never stored; contiguous."""
    kept = [dim for dim in range(dims) if dim not in summed]
    varying = [dim for dim in kept if any(dim in factor.dims for factor in factors)]
    terms = ["".join(ascii_lowercase[dim] for dim in factor.dims) for factor in factors]
    operands = [_squeezed(graph, factor.node) for factor in factors]
    equation = f"{','.join(terms)}->{''.join(ascii_lowercase[dim] for dim in varying)}"
    result = call(graph, aten.einsum.default, equation, operands)
    for position, dim in enumerate(range(dims) if keepdim else kept):
        if dim not in varying:
            result = call(graph, aten.unsqueeze.default, result, position)
    return result if value(result).is_contiguous() else call(graph, aten.contiguous.default, result)


def _squeezed(graph: fx.Graph, node: fx.Node) -> fx.Node:
    gone = [dim for dim, size in enumerate(shape(node)) if _is_one(size)]
    return call(graph, aten.squeeze.dims, node, gone) if gone else node
