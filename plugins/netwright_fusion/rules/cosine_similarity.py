"""Cosine similarities of pairs of rows are a matrix product of normalised rows."""

from dataclasses import replace

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, dtype, is_call
from netwright_fusion.rules.matching import positive, rank
from netwright_fusion.rules.rule import NodeRule, Rewrite
from netwright_fusion.rules.sum_of_products import Factor, factor_of, matrix_product

aten = torch.ops.aten


class PairwiseCosine(NodeRule):
    """Cosine similarity of rows that are broadcast against each other: each row normalised once, then their products.

    PyTorch's operator computes Σₖ (xₖ / max(‖x‖, ε)) (yₖ / max(‖y‖, ε)) for each pair, and stores all quotients and
    products: three times as many elements as pairs times columns. A row's quotients are the same in each of its pairs,
    and the sum is a matrix product. Terms and special values are the same.
    """

    name = "cosine similarity of pairs"
    reason = "Rows are normalised once, not once per pair, and their product stores no terms."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A cosine similarity of two tensors of one type, one of which is repeated along what the other one varies."""
        if not is_call(node, aten.cosine_similarity.default):
            return None
        given = arguments(node)
        one, other, eps = given["x1"], given["x2"], given["eps"]
        dims = max(rank(one), rank(other))
        if not dims or {dtype(one), dtype(other)} != {dtype(node)}:
            return None
        dim = positive(given["dim"], dims)
        factors = factor_of(one, dims), factor_of(other, dims)
        if not all(dim in each.dims for each in factors) or set(factors[0].dims) == set(factors[1].dims):
            return None

        def build(graph: fx.Graph) -> fx.Node:
            first, second = (_normalised(graph, each, dim - dims, eps) for each in factors)
            return matrix_product(graph, (first, second), dims, (dim,), keepdim=False)

        return Rewrite(f"{node.name} -> matrix product", (node,), build)


def _normalised(graph: fx.Graph, factor: Factor, dim: int, eps: float) -> Factor:
    norm = call(graph, aten.linalg_vector_norm.default, factor.node, 2, [dim], True)
    quotient = call(graph, aten.div.Tensor, factor.node, call(graph, aten.clamp_min.default, norm, eps))
    return replace(factor, node=quotient)
