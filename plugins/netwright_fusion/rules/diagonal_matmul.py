"""A product with a diagonal matrix scales rows or columns."""

from collections.abc import Callable

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call
from netwright_fusion.rules.matching import has_one_user, rank
from netwright_fusion.rules.matmul_sum import PRODUCTS
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
DIAGONALS = (aten.diag.default, aten.diag_embed.default)


class DiagonalMatmul(NodeRule):
    """diag(a) B or B diag(a): rows or columns scaled, without the dense product.

    (diag(a) B)ᵢⱼ = aᵢ Bᵢⱼ, with n m products instead of n² m. The dense product also adds 0 · Bₖⱼ of all other rows,
    which is 0 unless a Bₖⱼ is NaN or infinite, when it spreads over its column: adding 0 times each column's largest
    magnitude keeps that.
    """

    name = "product with a diagonal matrix"
    reason = "A diagonal matrix scales each row or column; its zeros need no products."
    keeps_nan = False

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A product of a matrix with a diagonal one made of a vector for this purpose alone."""
        if not is_call(node, *PRODUCTS):
            return None
        given = arguments(node)
        left, right = given["self"], given.get("other") or given["mat2"]
        for diagonal, dense, rows in ((left, right, True), (right, left, False)):
            if not is_call(diagonal, *DIAGONALS) or not has_one_user(diagonal):
                continue
            made = arguments(diagonal)
            if made.get("diagonal", made.get("offset")) != 0 or rank(made["self"]) != 1 or rank(dense) != 2:
                continue
            return Rewrite(
                f"product with {diagonal.name} -> scaled {'rows' if rows else 'columns'}",
                (diagonal, node),
                _scaling(made["self"], dense, rows),
            )
        return None


def _scaling(vector: fx.Node, dense: fx.Node, rows: bool) -> Callable[[fx.Graph], fx.Node]:
    def build(graph: fx.Graph) -> fx.Node:
        factors = call(graph, aten.unsqueeze.default, vector, 1) if rows else vector
        product = call(graph, aten.mul.Tensor, factors, dense)
        largest = call(graph, aten.linalg_vector_norm.default, dense, float("inf"), [0 if rows else 1], True)
        return call(graph, aten.add.Tensor, product, call(graph, aten.mul.Tensor, largest, 0))

    return build
