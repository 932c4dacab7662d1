"""A product with a weight matrix is a linear layer, which other rules know."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call
from netwright_fusion.rules.affine import affine_of
from netwright_fusion.rules.convolution import average_pool_of
from netwright_fusion.rules.diagonal_matmul import diagonal_of
from netwright_fusion.rules.matching import has_one_user, is_fixed, rank
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class MatmulAsLinear(NodeRule):
    """x W, with W made of parameters, where a scale, shift or pool follows: a linear layer with Wᵀ.

    A linear layer computes x Vᵀ; with V = Wᵀ that is x W. The transpose is a view.
    """

    name = "product with weights as linear layer"
    reason = "A linear layer can take over what follows into its weights."
    conditions = "fixed weights"

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A product with a matrix of parameters whose only use is one that a linear layer can take over."""
        if not is_call(node, aten.matmul.default, aten.mm.default, aten.addmm.default) or not has_one_user(node):
            return None
        given = arguments(node)
        plain = not is_call(node, aten.addmm.default)
        left, right = (given["self"], given.get("other") or given["mat2"]) if plain else (given["mat1"], given["mat2"])
        bias = None if plain else given["self"]
        if rank(left) < 2 or rank(right) != 2 or not is_fixed(right) or is_fixed(left):
            return None
        if diagonal_of(right) is not None:
            return None  # a diagonal matrix needs no product
        if bias is not None and (rank(bias) != 1 or not is_fixed(bias) or (given["alpha"], given["beta"]) != (1, 1)):
            return None
        user = next(iter(node.users))
        if affine_of(user) is None and average_pool_of(user) is None and not is_call(user, aten.unsqueeze.default):
            return None

        def build(graph: fx.Graph) -> fx.Node:
            return call(graph, aten.linear.default, left, call(graph, aten.t.default, right), bias)

        return Rewrite(f"{node.name} -> linear", (node,), build)
