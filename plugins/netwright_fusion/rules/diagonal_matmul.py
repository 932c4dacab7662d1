"""A product with a diagonal matrix scales rows or columns."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import fx
from torch.fx.experimental.symbolic_shapes import statically_known_true

from netwright_fusion.graph import arguments, call, dtype, is_call, shape, value
from netwright_fusion.rules.identity import permutation_of
from netwright_fusion.rules.matching import positive, rank, source
from netwright_fusion.rules.matmul_sum import PRODUCTS
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class Diagonal(NamedTuple):
    """A batch of matrices that are zero beside their diagonals by how they were made.

    Attributes:
        vector: What stands on the diagonals.
        filled: The dimension, -2 or -1, along which a special value in the vector, times 0, fills the rest as well, the
            vector having one more dimension of size 1; None where there is neither.
        column: Whether that dimension is the vector's last, not the one before.
    """

    vector: fx.Node
    filled: int | None = None
    column: bool = False


class DiagonalMatmul(NodeRule):
    """diag(a) B or B diag(a), in batches as well: rows or columns scaled, without the dense product.

    (diag(a) B)ᵢⱼ = aᵢ Bᵢⱼ, with n m products instead of n² m. The dense product also adds 0 · Bₖⱼ of all other rows,
    which is 0 unless a Bₖⱼ is NaN or infinite, when it spreads over its column: adding 0 times each column's maximum
    and minimum keeps that. So does the vector's where the diagonal was cut out of equal rows or columns, as by
    eye(n) * a, and a special value has filled more than what the product adds up.
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
        for matrix, dense, first in ((left, right, True), (right, left, False)):
            diagonal = diagonal_of(matrix)
            if diagonal is not None:
                return Rewrite(
                    f"product with {matrix.name} -> scaled {'rows' if first else 'columns'}",
                    (matrix, node),
                    _scaling(diagonal, dense, first=first),
                )
        return None


def diagonal_of(matrix: fx.Node) -> Diagonal | None:
    """The matrix as diagonal matrices of vectors, or None."""
    dims = rank(matrix)
    if permutation_of(matrix) == [*range(dims - 2), dims - 1, dims - 2]:
        found = diagonal_of(source(matrix))
        return found if found is None or found.filled is None else found._replace(filled=-3 - found.filled)
    if is_call(matrix, aten.diag.default):
        made = arguments(matrix)
        return Diagonal(made["self"]) if made["diagonal"] == 0 and rank(made["self"]) == 1 else None
    if is_call(matrix, aten.diag_embed.default):
        made = arguments(matrix)
        last = {positive(made[key], dims) for key in ("dim1", "dim2")} == {dims - 2, dims - 1}
        return Diagonal(made["self"]) if made["offset"] == 0 and last else None
    return _cut_out(matrix) if is_call(matrix, aten.mul.Tensor) else None


def _cut_out(matrix: fx.Node) -> Diagonal | None:
    """A product of the identity with a row or a column, which is the same in all rows or columns."""
    for eye, vector in (matrix.args[:2], matrix.args[1::-1]):
        if not is_call(eye, aten.eye.default) or not isinstance(vector, fx.Node) or dtype(vector) != dtype(matrix):
            continue
        size, sizes = shape(matrix)[-1], (1, 1, *shape(vector))[-2:]
        for column, expected in ((False, (1, size)), (True, (size, 1))):
            if all(statically_known_true(one == other) for one, other in zip(sizes, expected, strict=True)):
                return Diagonal(vector, -1 if column else -2, column) if rank(vector) > column else None
    return None


def _scaling(diagonal: Diagonal, dense: fx.Node, *, first: bool) -> Callable[[fx.Graph], fx.Node]:
    """The product with other matrices, or a vector; the diagonal ones come first or last."""
    rows = first and rank(dense) > 1

    def build(graph: fx.Graph) -> fx.Node:
        factors = _vector(graph, diagonal, summed=-1 if first else -2)
        zero = _zero(graph, dense, -2 if rows else -1)
        if rows or (rank(factors) > 1 and rank(dense) > 1):
            factors = call(graph, aten.unsqueeze.default, factors, -1 if rows else -2)
        result = call(graph, aten.addcmul.default, zero, factors, dense)
        return result if value(result).is_contiguous() else call(graph, aten.contiguous.default, result)

    return build


def _vector(graph: fx.Graph, diagonal: Diagonal, summed: int) -> fx.Node:
    """What the product scales with, along the last dimension, where it adds up the matrices' dimension `summed`."""
    vector = diagonal.vector
    if diagonal.filled is not None and rank(vector) > 1:
        vector = call(graph, aten.squeeze.dim, vector, -1 if diagonal.column else -2)
    if diagonal.filled in (None, summed):
        return vector
    return call(graph, aten.add.Tensor, vector, _zero(graph, vector, -1))


def _zero(graph: fx.Graph, node: fx.Node, dim: int) -> fx.Node:
    """Zero where everything along a dimension is finite, NaN elsewhere."""
    largest, smallest = (call(graph, each, node, [dim], True) for each in (aten.amax.default, aten.amin.default))
    return call(graph, aten.mul.Tensor, call(graph, aten.mul.Tensor, largest, 0), smallest)
