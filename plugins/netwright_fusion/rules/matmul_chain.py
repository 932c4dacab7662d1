"""Products of three matrices can be multiplied in the cheaper order."""

from collections.abc import Callable
from math import prod

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call, shape, size_hint
from netwright_fusion.rules.affine import Affine, affine_of, scaled
from netwright_fusion.rules.affine_into_weights import channel_dim
from netwright_fusion.rules.convolution import convolution_of, convolve_like
from netwright_fusion.rules.matching import has_one_user, is_fixed, label, rank
from netwright_fusion.rules.matmul_sum import PRODUCTS
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
MARGIN = 1.2
"""How many times fewer products another order must have, so that a different batch does not turn the scales."""


class MatmulChain(NodeRule):
    """(A B) C or A (B C), whichever takes fewer products.

    Matrix multiplication is associative. With A (m, k), B (k, n), C (n, p), the first order takes m n (k + p) products,
    the second k p (n + m). Attention without softmax, (Q Kᵀ) V, is the well-known case; a
    factor in between is applied to the smaller product. A product of parameters alone
    is made once, and counts nothing. Special values spread over the rows and columns of both orders alike.
    """

    name = "matrix product in the cheaper order"
    reason = "Matrix multiplication is associative, and the sizes make the other order cheaper."
    keeps_nan = False

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A product with a product that nobody else needs, where the other order is cheaper."""
        operands = _operands(node)
        if operands is None:
            return None
        for inner_is_left in (True, False):
            found = _inner(operands[0] if inner_is_left else operands[1])
            if found is None:
                continue
            inner, (first, second), affine = found
            a, b, c = (first, second, operands[1]) if inner_is_left else (operands[0], first, second)
            if any(rank(each) < 2 for each in (a, b, c)) or is_fixed(inner):
                continue
            here, there = _products(a, b, c, inner_is_left), _products(a, b, c, not inner_is_left)
            if there * MARGIN <= here:
                build = _chain((a, b, c), not inner_is_left, affine)
                return Rewrite(f"{inner.name} and {node.name} -> other order", (inner, node), build)
        return None


class LinearOfLinear(NodeRule):
    """Linear of linear, with nothing in between: one layer, where that is smaller.

    V (W x + b) + c = (V W) x + (V b + c). Rows times inner times outer products are saved if the dimension in between
    is large.
    """

    name = "linear of linear"
    reason = "A linear function of a linear function is one, and its matrix is smaller than both."
    conditions = "fixed weights"
    keeps_nan = False

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A linear layer of a linear layer that nobody else needs, where the product of weights is smaller."""
        if not is_call(node, aten.linear.default) or channel_dim(node) is None:
            return None
        given = arguments(node)
        inner = given["input"]
        if not has_one_user(inner) or not is_call(inner, aten.linear.default) or channel_dim(inner) is None:
            return None
        before = arguments(inner)
        (outputs, between), (_, inputs) = shape(given["weight"]), shape(before["weight"])
        if outputs * inputs * MARGIN > between * (outputs + inputs):
            return None

        def build(graph: fx.Graph) -> fx.Node:
            weight = call(graph, aten.matmul.default, given["weight"], before["weight"])
            bias = given["bias"]
            if before["bias"] is not None:
                moved = call(graph, aten.matmul.default, given["weight"], before["bias"])
                bias = moved if bias is None else call(graph, aten.add.Tensor, moved, bias)
            return call(graph, aten.linear.default, before["input"], weight, bias)

        return Rewrite(f"{label(inner)} and {label(node)} -> one linear", (inner, node), build)


class PointwiseOfConvolution(NodeRule):
    """A convolution of single pixels after a convolution, with nothing in between: one convolution, where smaller.

    Channel o of the second is Σ_c V_oc (x * W_c + b_c) + d_o = x * (Σ_c V_oc W_c) + (Σ_c V_oc b_c + d_o): the kernels
    are mixed instead of the images.
    """

    name = "pointwise convolution into the one before"
    reason = "Mixing the channels of a convolution is a convolution with mixed kernels."
    conditions = "fixed weights"
    keeps_nan = False

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A pointwise convolution of one without groups that nobody else needs, where fewer products remain."""
        outer = convolution_of(node)
        inner = convolution_of(outer.source) if outer and has_one_user(outer.source) else None
        if outer is None or inner is None or channel_dim(node) != 1 or channel_dim(outer.source) != 1:
            return None
        if outer.transposed or inner.groups != 1 or outer.groups != 1:
            return None
        if {*outer.kernel, *outer.stride} != {1} or any(outer.padding):
            return None
        first = inner.products * inner.channels_in * inner.channels_out
        second = outer.products * outer.channels_in * outer.channels_out
        if inner.products * inner.channels_in * outer.channels_out * MARGIN > first + second:
            return None
        rows = 1 if inner.transposed else 0

        def build(graph: fx.Graph) -> fx.Node:
            mix = call(graph, aten.flatten.using_ints, outer.weight, 1)
            kernels = call(graph, aten.movedim.int, inner.weight, rows, 0)
            mixed = call(graph, aten.tensordot.default, mix, kernels, [1], [0])
            bias = outer.bias
            if inner.bias is not None:
                moved = call(graph, aten.matmul.default, mix, inner.bias)
                bias = moved if bias is None else call(graph, aten.add.Tensor, moved, bias)
            return convolve_like(graph, inner, inner.source, call(graph, aten.movedim.int, mixed, 0, rows), bias)

        return Rewrite(f"{label(outer.source)} and {label(node)} -> one convolution", (outer.source, node), build)


def _operands(node: fx.Node) -> tuple[fx.Node, fx.Node] | None:
    if not is_call(node, *PRODUCTS):
        return None
    given = arguments(node)
    return given["self"], given.get("other") or given["mat2"]


def _products(a: fx.Node, b: fx.Node, c: fx.Node, left_first: bool) -> int:
    """Multiplications of (A B) C or A (B C), without products of parameters."""
    batches = [prod(size_hint(size) for size in shape(each)[:-2]) for each in (a, b, c)]
    m, k, n, p = (size_hint(shape(a)[-2]), *map(size_hint, shape(b)[-2:]), size_hint(shape(c)[-1]))
    if left_first:
        first, second = (a, b, m * k * n * max(batches[:2])), m * n * p * max(batches)
    else:
        first, second = (b, c, k * n * p * max(batches[1:])), m * k * p * max(batches)
    free = is_fixed(first[0]) and is_fixed(first[1])
    return second + (0 if free else first[2])


def _inner(node: fx.Node) -> tuple[fx.Node, tuple[fx.Node, fx.Node], Affine | None] | None:
    """A product that nobody else needs, its operands, and the number that it is scaled with, if any."""
    affine = affine_of(node)
    product = affine.source if affine is not None and affine.number is not None else node
    operands = _operands(product)
    if operands is None or not has_one_user(node) or not has_one_user(product):
        return None
    return product, operands, affine if product is not node else None


def _chain(
    operands: tuple[fx.Node, fx.Node, fx.Node], left_first: bool, affine: Affine | None
) -> Callable[[fx.Graph], fx.Node]:
    a, b, c = operands

    def build(graph: fx.Graph) -> fx.Node:
        inner = call(graph, aten.matmul.default, *((a, b) if left_first else (b, c)))
        inner = inner if affine is None else scaled(graph, inner, affine)
        return call(graph, aten.matmul.default, *((inner, c) if left_first else (a, inner)))

    return build
