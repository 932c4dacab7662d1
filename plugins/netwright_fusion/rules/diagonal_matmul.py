"""A product with a diagonal matrix scales rows or columns."""

from collections.abc import Callable

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, dtype, is_call, value
from netwright_fusion.rules.identity import permutation_of
from netwright_fusion.rules.matching import positive, rank, source
from netwright_fusion.rules.matmul_sum import PRODUCTS
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class DiagonalMatmul(NodeRule):
    """diag(a) B or B diag(a), in batches as well: rows or columns scaled, without the dense product.

    (diag(a) B)ᵢⱼ = aᵢ Bᵢⱼ, with n m products instead of n² m. The dense product also adds 0 · Bₖⱼ of all other rows,
    which is 0 unless a Bₖⱼ is NaN or infinite, when it spreads over its column: adding 0 times each column's maximum
    and minimum keeps that.
    """

    name = "product with a diagonal matrix"
    reason = "A diagonal matrix scales each row or column; its zeros need no products."
    keeps_nan = False

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A product of matrices, or of a matrix and a vector, one of which is diagonal and made of vectors."""
        if not is_call(node, *PRODUCTS) or not dtype(node).is_floating_point:
            return None
        given = arguments(node)
        left, right = given["self"], given.get("other") or given["mat2"]
        for diagonal, dense, rows in ((left, right, True), (right, left, False)):
            vector = vector_of(diagonal)
            if vector is not None:
                return Rewrite(
                    f"product with {diagonal.name} -> scaled {'rows' if rows else 'columns'}",
                    (diagonal, node),
                    _scaling(vector, dense, rows=rows and rank(dense) > 1),
                )
        return None


def vector_of(matrix: fx.Node) -> fx.Node | None:
    """The vectors on the diagonal of a batch of matrices that are zero elsewhere by how they were made, or None."""
    dims = rank(matrix)
    if permutation_of(matrix) == [*range(dims - 2), dims - 1, dims - 2]:
        return vector_of(source(matrix))
    if is_call(matrix, aten.diag.default):
        made = arguments(matrix)
        return made["self"] if made["diagonal"] == 0 and rank(made["self"]) == 1 else None
    if is_call(matrix, aten.diag_embed.default):
        made = arguments(matrix)
        last = {positive(made[key], dims) for key in ("dim1", "dim2")} == {dims - 2, dims - 1}
        return made["self"] if made["offset"] == 0 and last else None
    return None


def _scaling(vector: fx.Node, dense: fx.Node, *, rows: bool) -> Callable[[fx.Graph], fx.Node]:
    """Rows or columns scaled; a vector's elements count as columns."""
    summed = [-2 if rows else -1]

    def build(graph: fx.Graph) -> fx.Node:
        across = rows or (rank(vector) > 1 and rank(dense) > 1)
        factors = call(graph, aten.unsqueeze.default, vector, -1 if rows else -2) if across else vector
        largest, smallest = (call(graph, each, dense, summed, True) for each in (aten.amax.default, aten.amin.default))
        zero = call(graph, aten.mul.Tensor, call(graph, aten.mul.Tensor, largest, 0), smallest)
        result = call(graph, aten.addcmul.default, zero, factors, dense)
        return result if value(result).is_contiguous() else call(graph, aten.contiguous.default, result)

    return build
