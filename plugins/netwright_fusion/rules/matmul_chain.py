"""Products of three matrices can be multiplied in the cheaper order."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, elements, is_call, shape, size_hint
from netwright_fusion.rules.affine import Affine, affine_of, scaled
from netwright_fusion.rules.matching import has_one_user, is_fixed, positive, rank
from netwright_fusion.rules.matmul_sum import PRODUCTS
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
MARGIN = 1.2
"""How many times fewer products another order must have, so that a different batch does not turn the scales."""
MOVED = 16
"""Products that a CPU core does while it moves one element to or from memory, about."""


@dataclass(frozen=True)
class Matrix:
    """A matrix, or a batch of them: what a node holds, or the transpose of that, as a linear layer takes its weight."""

    node: fx.Node
    turned: bool = False

    @property
    def sizes(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = map(size_hint, shape(self.node)[-2:])
        return (columns, rows) if self.turned else (rows, columns)

    @property
    def batch(self) -> int:
        """How many there are."""
        return prod(size_hint(size) for size in shape(self.node)[:-2])


@dataclass(frozen=True)
class Product:
    """A matrix product, or a linear layer, which is one with its weight's transpose."""

    left: Matrix
    right: Matrix
    bias: fx.Node | None = None


class MatmulChain(NodeRule):
    """(A B) C or A (B C), whichever takes fewer products; linear layers are products with their weights' transposes.

    Matrix multiplication is associative. With A (m, k), B (k, n), C (n, p), the first order takes m n (k + p) products,
    the second k p (n + m). Attention without softmax, (Q Kᵀ) V, is the well-known case; a
    factor in between is applied to the smaller product. A product of parameters alone
    is made once, and counts nothing. Special values spread over the rows and columns of both orders alike.

    Graph convolutions mix the nodes before or after their channels: A (X Wᵀ + 1 bᵀ) = (A X) Wᵀ + (A 1) bᵀ, where A 1
    are the sums of A's rows, and (A X) Wᵀ + 1 bᵀ = A (X Wᵀ) + 1 bᵀ. Such a bias must be worth one more addition, but
    for attention's: a softmax's rows add up to 1, or are NaN.
    """

    name = "matrix product in the cheaper order"
    reason = "Matrix multiplication is associative, and the sizes make the other order cheaper."
    keeps_nan = False

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A product with a product that nobody else needs, where the other order is cheaper."""
        outer = product_of(node)
        if outer is None:
            return None
        for inner_is_left in (True, False):
            found = _inner(outer.left if inner_is_left else outer.right)
            if found is None or is_fixed(found[0]):
                continue
            product, inner, affine = found
            a, b, c = (inner.left, inner.right, outer.right) if inner_is_left else (outer.left, inner.left, inner.right)
            if any(rank(each.node) < 2 for each in (a, b, c)) or (b.turned and c.turned):
                continue
            if inner.bias is not None and (inner_is_left or affine is not None):
                continue
            here, there = _products(a, b, c, inner_is_left), _products(a, b, c, not inner_is_left)
            if (there + _added(node, a, inner.bias, outer.bias)) * MARGIN <= here:
                build = _chain((a, b, c), not inner_is_left, affine, inner.bias, outer.bias)
                return Rewrite(f"{product.name} and {node.name} -> other order", (product, node), build)
        return None


def product_of(node: fx.Node) -> Product | None:
    """The product that a node is, or None."""
    if is_call(node, *PRODUCTS):
        given = arguments(node)
        return Product(Matrix(given["self"]), Matrix(given.get("other") or given["mat2"]))
    if is_call(node, aten.linear.default) and rank(arguments(node)["weight"]) == 2:
        given = arguments(node)
        return Product(Matrix(given["input"]), Matrix(given["weight"], turned=True), given["bias"])
    return None


def _products(a: Matrix, b: Matrix, c: Matrix, left_first: bool) -> int:
    """Multiplications of (A B) C or A (B C), without products of parameters."""
    batches = [each.batch for each in (a, b, c)]
    (m, k), (n, p) = a.sizes, c.sizes
    if left_first:
        first, second = (a, b, m * k * n * max(batches[:2])), m * n * p * max(batches)
    else:
        first, second = (b, c, k * n * p * max(batches[1:])), m * k * p * max(batches)
    free = is_fixed(first[0].node) and is_fixed(first[1].node)
    return second + (0 if free else first[2])


def _added(node: fx.Node, a: Matrix, inner: fx.Node | None, outer: fx.Node | None) -> int:
    """The products that could be done instead of adding a bias apart: two tensors are read and one is written."""
    if outer is None and (inner is None or _adds_up_to_one(a.node)):
        return 0
    moved = 3 * elements(node)
    if inner is not None and not is_fixed(a.node):
        moved += elements(a.node) + 2 * elements(node)
    return MOVED * moved


def _adds_up_to_one(node: fx.Node) -> bool:
    """Whether each row of a matrix adds up to 1."""
    return is_call(node, aten.softmax.int) and positive(arguments(node)["dim"], rank(node)) == rank(node) - 1


def _inner(matrix: Matrix) -> tuple[fx.Node, Product, Affine | None] | None:
    """A product that nobody else needs, what it multiplies, and the number that it is scaled with, if any."""
    node = matrix.node
    affine = affine_of(node)
    scaled_product = affine is not None and affine.number is not None
    product = affine.source if affine is not None and scaled_product else node
    found = product_of(product)
    if found is None or matrix.turned or not has_one_user(node) or not has_one_user(product):
        return None
    return product, found, affine if scaled_product else None


def _chain(
    matrices: tuple[Matrix, Matrix, Matrix],
    left_first: bool,
    affine: Affine | None,
    inner: fx.Node | None,
    outer: fx.Node | None,
) -> Callable[[fx.Graph], fx.Node]:
    """The product in one order; `inner` and `outer` are the biases that the products had in the other one."""
    a, b, c = matrices

    def build(graph: fx.Graph) -> fx.Node:
        first = _multiply(graph, *((a, b) if left_first else (b, c)))
        first = first if affine is None else scaled(graph, first, affine)
        if inner is not None and _adds_up_to_one(a.node):
            return call(graph, aten.linear.default, first, c.node, inner)
        result = _multiply(graph, *((Matrix(first), c) if left_first else (a, Matrix(first))))
        if inner is not None:
            rows = call(graph, aten.sum.dim_IntList, a.node, [-1], True)
            return call(graph, aten.add.Tensor, result, call(graph, aten.mul.Tensor, rows, inner))
        return result if outer is None else call(graph, aten.add.Tensor, result, outer)

    return build


def _multiply(graph: fx.Graph, left: Matrix, right: Matrix) -> fx.Node:
    if right.turned:
        return call(graph, aten.linear.default, left.node, right.node)
    operand = call(graph, aten.t.default, left.node) if left.turned else left.node
    return call(graph, aten.matmul.default, operand, right.node)
