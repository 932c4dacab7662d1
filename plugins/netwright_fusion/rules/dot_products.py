"""Dot products of many pairs of vectors, called as matrix products, are elementwise products that are summed."""

from collections.abc import Callable, Sequence
from operator import eq
from typing import Any

import torch
from torch import fx
from torch.fx.experimental.symbolic_shapes import statically_known_true

from netwright_fusion.graph import arguments, call, dtype, is_call, shape, value
from netwright_fusion.rules.einsum_as_product import subscripts
from netwright_fusion.rules.matching import rank
from netwright_fusion.rules.matmul_sum import PRODUCTS
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class DotProducts(NodeRule):
    """Rows times columns of size one in batches, or an einsum with all indices in both tensors: (x y).sum().

    A batch of matrix products that are 1 x k times k x 1 is as many calls of a routine for large matrices, and einsum
    copies what is not in its order. Terms and special values are the same. It must be measured, since the terms are
    stored unless a compiler fuses the two steps; they are rounded, so that types of few bits are left alone.
    """

    name = "dot products of pairs"
    reason = "A product and a sum in two calls take less than a call for each pair."
    measured = True

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A product of as many rows as columns, pair by pair."""
        if not is_call(node, aten.einsum.default, *PRODUCTS) or dtype(node) not in (torch.float32, torch.float64):
            return None
        build = _of_einsum(node) if is_call(node, aten.einsum.default) else _of_product(node)
        return Rewrite(f"{node.name} -> sum of products", (node,), build) if build else None


def _of_product(node: fx.Node) -> Callable[[fx.Graph], fx.Node] | None:
    left, right = arguments(node)["self"], arguments(node).get("other") or arguments(node)["mat2"]
    if min(rank(left), rank(right)) < 3 or not _equal(shape(node)[-2:], (1, 1)):
        return None
    if not _equal(shape(left)[:-2], shape(right)[:-2]):
        return None

    def build(graph: fx.Graph) -> fx.Node:
        terms = call(graph, aten.mul.Tensor, left, call(graph, aten.transpose.int, right, -2, -1))
        return call(graph, aten.sum.dim_IntList, terms, [-1], True)

    return build


def _of_einsum(node: fx.Node) -> Callable[[fx.Graph], fx.Node] | None:
    found, tensors = subscripts(node), arguments(node)["tensors"]
    if found is None or len(tensors) != 2 or dtype(tensors[0]) != dtype(tensors[1]):
        return None
    (first, second), output = found
    if set(first) != set(second) or not output or not set(output) < set(first):
        return None
    left, right = tensors
    order = [second.index(letter) for letter in first]
    summed = [dim for dim, letter in enumerate(first) if letter not in output]
    left_over = [letter for letter in first if letter in output]

    def build(graph: fx.Graph) -> fx.Node:
        terms = call(graph, aten.mul.Tensor, left, call(graph, aten.permute.default, right, order))
        result = call(graph, aten.sum.dim_IntList, terms, summed)
        result = call(graph, aten.permute.default, result, [left_over.index(letter) for letter in output])
        return result if value(result).is_contiguous() else call(graph, aten.contiguous.default, result)

    return build


def _equal(sizes: Sequence[Any], others: Sequence[Any]) -> bool:
    return len(sizes) == len(others) and all(map(statically_known_true, map(eq, sizes, others)))
