"""A matrix product of which only the diagonal is read needs one sum per row, not one per element."""

import re

import torch
from torch import fx
from torch.fx.experimental.symbolic_shapes import statically_known_true

from netwright_fusion.graph import arguments, call, dtype, is_call, shape, size_hint
from netwright_fusion.rules.affine import affine_of, scaled
from netwright_fusion.rules.matching import has_one_user, known, positive, rank
from netwright_fusion.rules.matmul_sum import PRODUCTS
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
SMALLEST = 4
"""Fewer rows than that are multiplied with all columns as soon as with their own."""
OWN_DIAGONAL = re.compile(r"(?P<batch>(\.\.\.)?[a-zA-Z]*)(?P<row>[a-zA-Z])(?P=row)->(?P=batch)(?P<kept>(?P=row)?)")
"""An einsum of one tensor that takes the diagonal of its matrices, or its sum."""


class ProductDiagonal(NodeRule):
    """The diagonal of A B, or its trace: sums of products of A's rows with B's columns.

    (A B)ᵢᵢ = Σₖ Aᵢₖ Bₖᵢ, and the trace is the sum of those: n k products instead of n² k, and the same terms, so that
    special values come through as they did. The products are rounded one by one, so that types of few bits are left
    alone.
    """

    name = "diagonal of a matrix product"
    reason = "Nobody reads the product's other elements."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """The diagonal or trace of a product, scaled by a number or not, that nobody else needs."""
        found = _diagonal_of(node)
        if found is None or dtype(node) not in (torch.float32, torch.float64):
            return None
        whole, summed = found
        affine = affine_of(whole)
        affine = affine if affine is not None and affine.number is not None else None
        product = whole if affine is None else affine.source
        if not is_call(product, *PRODUCTS) or not has_one_user(product) or not has_one_user(whole):
            return None
        left, right = arguments(product)["self"], arguments(product).get("other") or arguments(product)["mat2"]
        if min(rank(left), rank(right)) < 2 or min(map(size_hint, shape(product)[-2:])) < SMALLEST:
            return None

        def build(graph: fx.Graph) -> fx.Node:
            columns = call(graph, aten.transpose.int, right, -2, -1)
            same = statically_known_true(shape(left)[-2] == shape(columns)[-2])
            pair = (left, columns) if same else (_first(graph, left, columns), _first(graph, columns, left))
            terms = call(graph, aten.mul.Tensor, *pair)
            result = call(graph, aten.sum.dim_IntList, terms, [-2, -1] if summed else [-1])
            return result if affine is None else scaled(graph, result, affine)

        return Rewrite(f"{product.name} -> its {'trace' if summed else 'diagonal'}", (product, node), build)


def _first(graph: fx.Graph, rows: fx.Node, others: fx.Node) -> fx.Node:
    """As many of the rows as there are others, or all of them where there are fewer."""
    count = shape(others)[-2]
    count = count if known(count) else call(graph, aten.sym_size.int, others, rank(others) - 2)
    return call(graph, aten.slice.Tensor, rows, rank(rows) - 2, 0, count)


def _diagonal_of(node: fx.Node) -> tuple[fx.Node, bool] | None:
    """The matrices whose diagonal a node takes, and whether it adds it up; None where it does something else."""
    if is_call(node, aten.einsum.default):
        given = arguments(node)
        found = OWN_DIAGONAL.fullmatch(given["equation"].replace(" ", ""))
        return (given["tensors"][0], not found["kept"]) if found and len(given["tensors"]) == 1 else None
    if is_call(node, aten.diag.default, aten.trace.default):
        given = arguments(node)
        plain = rank(given["self"]) == 2 and given.get("diagonal", 0) == 0
        return (given["self"], is_call(node, aten.trace.default)) if plain else None
    if is_call(node, aten.diagonal.default, aten.linalg_diagonal.default):
        whole, offset, *pair = arguments(node).values()
        dims = rank(whole)
        last = {positive(dim, dims) for dim in pair} == {dims - 2, dims - 1}
        return (whole, False) if offset == 0 and last else None
    return None
