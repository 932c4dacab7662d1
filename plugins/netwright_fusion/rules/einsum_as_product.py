"""An einsum of two tensors that is a batch of matrix products is one by that name, which other rules know."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, dtype, is_call
from netwright_fusion.rules.matching import rank
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class EinsumAsProduct(NodeRule):
    """Einsum of two tensors over one index, the batches' indices first and alike: a matrix product.

    With "…ik,…kj->…ij" einsum multiplies matrices, and with "…ik,…jk->…ij" the first with the second's transpose;
    an operand whose last two indices stand the other way is transposed, which is a view. The terms are the same.
    """

    name = "einsum as matrix product"
    reason = "Attention and products in other orders are found where products are called by their name."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """An einsum of two tensors of at least two dimensions that a product of transposed views is."""
        found = _turns(node)
        if found is None:
            return None
        tensors = arguments(node)["tensors"]

        def build(graph: fx.Graph) -> fx.Node:
            operands = [
                call(graph, aten.transpose.int, each, -2, -1) if turned else each
                for each, turned in zip(tensors, found, strict=True)
            ]
            return call(graph, aten.matmul.default, *operands)

        return Rewrite(f"{node.name} -> matrix product", (node,), build)


def _turns(node: fx.Node) -> tuple[bool, bool] | None:
    """Which of an einsum's two operands must be transposed to make it a matrix product; None where it is none."""
    if not is_call(node, aten.einsum.default) or len(arguments(node)["tensors"]) != 2:
        return None
    inputs, arrow, output = arguments(node)["equation"].replace(" ", "").partition("->")
    terms = inputs.split(",")
    if not arrow or len(terms) != 2 or any(len(set(each)) < len(each) or "." in each for each in (*terms, output)):
        return None
    tensors = arguments(node)["tensors"]
    if any(rank(each) != len(term) or dtype(each) != dtype(node) for each, term in zip(tensors, terms, strict=True)):
        return None
    batch = len(output) - 2
    if batch < 0 or not len(terms[0]) == len(terms[1]) == len(output):
        return None
    if not terms[0][:batch] == terms[1][:batch] == output[:batch]:
        return None
    (row, column), left, right = output[batch:], terms[0][batch:], terms[1][batch:]
    summed = set(left) - {row}
    if len(summed) != 1 or row not in left or set(right) != summed | {column} or row in right:
        return None
    return left[0] != row, right[1] != column
