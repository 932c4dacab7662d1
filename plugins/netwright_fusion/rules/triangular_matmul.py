"""A product of which only one triangle is kept needs only the blocks that reach into that triangle."""

from itertools import pairwise

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call, shape, size_hint
from netwright_fusion.rules.matching import has_one_user, rank, size_of
from netwright_fusion.rules.matmul_sum import PRODUCTS
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
BLOCKS = 8
END = 2**63 - 1
SMALLEST = 256
"""Below this many columns a matrix product takes less time than its blocks' calls."""


class TriangularMatmul(NodeRule):
    """tril(A B) or triu(A B): block rows of A with those columns of B only that reach into the triangle.

    Rows i₀ … i₁ of a lower triangle end at column i₁, those of an upper one begin at column i₀. With r block rows
    (r + 1) / 2r of the products remain. What is computed is computed from the same rows and columns as before, so that
    special values stay where they are.
    """

    name = "triangle of a matrix product"
    reason = "The other triangle is thrown away, so that its blocks need no products."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """The main triangle of a product that nobody else needs, large and about square."""
        if not is_call(node, aten.tril.default, aten.triu.default) or arguments(node)["diagonal"] != 0:
            return None
        product = arguments(node)["self"]
        if not has_one_user(product) or not is_call(product, *PRODUCTS) or rank(product) != 2:
            return None
        given, columns = arguments(product), size_of(product, 1)
        left, right = given["self"], given.get("other") or given["mat2"]
        if columns is None or columns < SMALLEST or rank(left) != 2 or rank(right) != 2:
            return None
        if not columns // 2 <= size_hint(shape(product)[0]) <= columns * 2:
            return None
        lower, size = is_call(node, aten.tril.default), columns

        def build(graph: fx.Graph) -> fx.Node:
            return _blocks(graph, left, right, size, lower=lower)

        return Rewrite(f"{product.name} -> the blocks of its triangle", (product, node), build)


def _blocks(graph: fx.Graph, left: fx.Node, right: fx.Node, columns: int, *, lower: bool) -> fx.Node:
    """The product's triangle, in bands of rows; the last one has all rows that are left, however many there are."""
    edges = [columns * block // BLOCKS for block in range(BLOCKS + 1)]
    bands = []
    for first, last in pairwise(edges):
        begin, end = (0, last) if lower else (first, columns)
        rows = call(graph, aten.slice.Tensor, left, 0, first, last if last < columns else END)
        part = call(graph, aten.slice.Tensor, right, 1, begin, end)
        band = call(graph, aten.matmul.default, rows, part)
        bands.append(call(graph, aten.constant_pad_nd.default, band, [begin, columns - end]))
    triangle = aten.tril.default if lower else aten.triu.default
    return call(graph, triangle, call(graph, aten.cat.default, bands, 0))
