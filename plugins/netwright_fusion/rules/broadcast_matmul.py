"""A product whose operand is the same in many of its batches need not repeat it."""

from math import prod

import torch
from torch import fx
from torch.fx.experimental.symbolic_shapes import statically_known_true

from netwright_fusion.graph import arguments, dtype, elements, is_call, shape, size_hint
from netwright_fusion.rules.matching import rank
from netwright_fusion.rules.rule import NodeRule, Rewrite
from netwright_fusion.rules.sum_of_products import Factor, matrix_product

aten = torch.ops.aten


class BroadcastMatmul(NodeRule):
    """A product with matrices that are repeated along some of its batches and vary along others: fewer, larger ones.

    With A (b, h, n, k) and B (h, k, m), `matmul` copies B b times to multiply b h pairs of small matrices. Where B is
    the same, the rows of A can stand below each other: h products of (b n, k) with (k, m). Likewise for columns. The
    terms are the same. Instead of what is repeated, other operands and the result have to be copied in another order
    at most, which is less wherever there are fewer rows than columns; it must be measured, since in some shapes the
    small products fit into the caches.
    """

    name = "product with repeated matrices"
    reason = "What is the same in several batches is multiplied with all of their rows at once."
    measured = True

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A product of matrices one of which has some but not all of the batch's dimensions, and is large."""
        if not is_call(node, aten.matmul.default) or not dtype(node).is_floating_point:
            return None
        operands, dims = (arguments(node)["self"], arguments(node)["other"]), rank(node) + 1
        if min(map(rank, operands)) < 2:
            return None
        left, right = (_factor(each, dims, alone) for each, alone in zip(operands, (dims - 1, dims - 3), strict=True))
        batch = {*left.dims, *right.dims} - {dims - 3, dims - 2, dims - 1}
        repeated = [each.node for each in (left, right) if batch & set(each.dims) and batch - set(each.dims)]
        copies = prod(size_hint(size) for size in shape(node)[:-2])
        copied = sum(copies * prod(map(size_hint, shape(each)[-2:])) for each in repeated)
        if copied < elements(left.node) + elements(right.node) + elements(node):
            return None
        return Rewrite(
            f"{node.name} -> {' and '.join(each.name for each in repeated)} not repeated",
            (node,),
            lambda graph: matrix_product(graph, (left, right), dims, (dims - 2,), keepdim=False),
        )


def _factor(operand: fx.Node, dims: int, absent: int) -> Factor:
    """An operand by the dimensions in which it varies: those of the batch, then rows, what is summed, and columns."""
    own = [dim for dim in range(dims) if dim != absent][-rank(operand) :]
    sizes = zip(own, shape(operand), strict=True)
    return Factor(operand, tuple(dim for dim, size in sizes if not statically_known_true(size == 1)))
