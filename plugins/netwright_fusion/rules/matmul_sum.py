"""A matrix product that is summed or averaged over rows or columns needs the sums of one operand only."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call
from netwright_fusion.rules.matching import has_one_user, rank, size_of
from netwright_fusion.rules.reduction import reduce, reduction_of, without
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
PRODUCTS = (aten.matmul.default, aten.mm.default, aten.bmm.default)


class MatmulSum(NodeRule):
    """Matrix product, then sum or mean over its rows or columns: the operand is summed first.

    With C = A B, Σⱼ Cᵢⱼ = Σₖ Aᵢₖ (Σⱼ Bₖⱼ) and Σᵢ Cᵢⱼ = Σₖ (Σᵢ Aᵢₖ) Bₖⱼ; a mean divides both sides by the number of
    columns or rows. Special values: one in A's row i reaches all of C's row i, and one in B's row k every Cᵢⱼ of its
    column; the sums of both sides contain the same ones.
    """

    name = "matrix product to sum over rows or columns"
    reason = "The sum of a product's rows or columns is the product with a sum."
    keeps_nan = False

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A sum or mean over one or both of the last two dimensions of a product that nobody else needs."""
        found = reduction_of(node)
        if found is None or not found.is_linear or not is_call(found.source, *PRODUCTS):
            return None
        product, dims = found.source, rank(found.source)
        given = arguments(product)
        left, right = given["self"], given.get("other") or given["mat2"]
        if not has_one_user(product) or rank(left) < 2 or rank(right) < 2:
            return None
        rows, columns = dims - 2, dims - 1
        summed = [dim for dim in (rows, columns) if dim in found.dims and size_of(product, dim) != 1]
        if not summed:
            return None

        def build(graph: fx.Graph) -> fx.Node:
            first, second = left, right
            if columns in summed:
                second = reduce(graph, found.kind, right, (rank(right) - 1,), keepdim=True)
            if rows in summed:
                first = reduce(graph, found.kind, left, (rank(left) - 2,), keepdim=True)
            less = call(graph, aten.matmul.default, first, second)
            done = tuple(dim for dim in (rows, columns) if dim in found.dims)
            less = without(graph, less, done, keepdim=found.keepdim)
            return reduce(graph, found.kind, less, tuple(set(found.dims) - set(done)), keepdim=found.keepdim)

        return Rewrite(f"product {product.name} -> {found.kind} of an operand", (product, node), build)
