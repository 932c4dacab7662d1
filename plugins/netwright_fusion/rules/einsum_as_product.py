"""Einsums: those that are matrix products by that name, and those of fixed tensors, which are contracted once."""

from itertools import permutations
from math import prod
from typing import Any

import torch
from torch import fx
from torch.fx.experimental.symbolic_shapes import statically_known_true

from netwright_fusion.cost import contraction
from netwright_fusion.graph import arguments, call, dtype, is_call, shape, size_hint
from netwright_fusion.rules.matching import is_fixed
from netwright_fusion.rules.matmul_chain import MARGIN
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
MOST_FIXED = 4
"""Tensors whose orders are looked at."""
WIDE = 16
"""Narrower matrices are faster copied to one, as einsum does, than multiplied with one of no batch one by one."""


class EinsumAsProduct(NodeRule):
    """Einsum of two tensors over one index, the batches' indices first and alike: a matrix product.

    With "…ik,…kj->…ij" einsum multiplies matrices, and with "…ik,…jk->…ij" the first with the second's transpose;
    an operand whose last two indices stand the other way is transposed, which is a view. One matrix for the whole
    batch, "…ik,kj->…ij", is one for each; and of "…kj,…ik->…ij" the second comes first. The terms are the same.
    """

    name = "einsum as matrix product"
    reason = "Attention and products in other orders are found where products are called by their name."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """An einsum of two tensors of at least two dimensions that a product of transposed views is."""
        operands = _operands(node)
        if operands is None:
            return None

        def build(graph: fx.Graph) -> fx.Node:
            views = [call(graph, aten.transpose.int, each, -2, -1) if turned else each for each, turned in operands]
            return call(graph, aten.matmul.default, *views)

        return Rewrite(f"{node.name} -> matrix product", (node,), build)


class EinsumOfFixed(NodeRule):
    """Einsum of one tensor with several that are fixed: with what these make together, where that is less work.

    Σ_rs x_r a_rs b_so = Σ_r x_r (Σ_s a_rs b_so): factors of a low-rank weight, say, whose product is no larger.
    """

    name = "einsum of fixed tensors"
    reason = "What fixed tensors make together is made once."
    conditions = "fixed weights"
    keeps_nan = False

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """An einsum in which one tensor depends on the input, and at least two do not."""
        found = subscripts(node)
        if found is None:
            return None
        terms, output = found
        pairs = list(zip(terms, arguments(node)["tensors"], strict=True))
        fixed = [(term, each) for term, each in pairs if is_fixed(each)]
        others = [(term, each) for term, each in pairs if not is_fixed(each)]
        if (
            len(others) != 1
            or not 2 <= len(fixed) <= MOST_FIXED
            or any(dtype(each) != dtype(node) for _, each in pairs)
        ):
            return None
        sizes = {label: size_hint(size) for term, each in pairs for label, size in zip(term, shape(each), strict=True)}
        (own, moving), needed = others[0], {*others[0][0], *output}
        kept = "".join(label for label in dict.fromkeys("".join(term for term, _ in fixed)) if label in needed)
        before = min(
            contraction([own, *(fixed[index][0] for index in order)], output, sizes)
            for order in permutations(range(len(fixed)))
        )
        if prod(sizes[label] for label in {*own, *kept}) * MARGIN > before:
            return None

        def build(graph: fx.Graph) -> fx.Node:
            tensors = [each for _, each in fixed]
            together = call(graph, aten.einsum.default, f"{','.join(term for term, _ in fixed)}->{kept}", tensors)
            return call(graph, aten.einsum.default, f"{own},{kept}->{output}", [moving, together])

        return Rewrite(f"{node.name} -> with one fixed tensor", (node,), build)


def subscripts(node: fx.Node) -> tuple[list[str], str] | None:
    """An einsum's indices, of each operand and of the output, where all are spelt out and none is repeated in one."""
    if not is_call(node, aten.einsum.default):
        return None
    inputs, arrow, output = arguments(node)["equation"].replace(" ", "").partition("->")
    terms, tensors = inputs.split(","), arguments(node)["tensors"]
    if not arrow or any(len(set(each)) < len(each) or "." in each for each in (*terms, output)):
        return None
    sizes: dict[str, Any] = {}
    for term, each in zip(terms, tensors, strict=True):
        for label, size in zip(term, shape(each), strict=True):
            if not statically_known_true(sizes.setdefault(label, size) == size):
                return None
    return terms, output


def _operands(node: fx.Node) -> list[tuple[fx.Node, bool]] | None:
    """The operands of the product that an einsum is, and whether each must be transposed; None where it is none."""
    found = subscripts(node)
    if found is None or len(found[0]) != 2 or len(found[1]) < 2:
        return None
    terms, output = found
    batch, row, column = output[:-2], output[-2], output[-1]
    operands = list(zip(terms, arguments(node)["tensors"], strict=True))
    if row not in terms[0]:
        operands.reverse()
    (left, one), (right, other) = operands
    if any(each not in (batch + each[-2:], each[-2:]) or len(each) < 2 for each in (left, right)):
        return None
    if any(dtype(each) != dtype(node) for each in (one, other)):
        return None
    summed = {*left[-2:]} - {row}
    if row not in left[-2:] or {*right[-2:]} != summed | {column} or row in right:
        return None
    if len(left) < len(output) and size_hint(shape(node)[-1]) < WIDE:
        return None
    return [(one, left[-2] != row), (other, right[-1] != column)]
