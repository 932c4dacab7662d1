"""Products of three matrices can be multiplied in the cheaper order."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, elements, is_call, shape, size_hint
from netwright_fusion.rules.affine import Affine, affine_of, scaled
from netwright_fusion.rules.affine_into_weights import channel_dim
from netwright_fusion.rules.convolution import convolution_of, convolve_like
from netwright_fusion.rules.layer_of_copies import columns
from netwright_fusion.rules.matching import has_one_user, is_fixed, label, positive, rank, same_sizes, size_of
from netwright_fusion.rules.matmul_sum import PRODUCTS
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
SUMS = (aten.add.Tensor, aten.sub.Tensor)
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
        outer = _product_of(node)
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


class ProductBesideOthers(NodeRule):
    """A product A X beside other channels, then linear, with fewer outputs: A times the layer's part of X.

    W [z; A X] + b = (W₁ z + b) + A (W₂ X), row by row. A graph convolution that keeps a node's own channels beside
    those of its neighbours then mixes as many channels as it has outputs. Special values meet the same factors.
    """

    name = "product beside others in the cheaper order"
    reason = "A product's share of a linear layer can be taken of its operand, which makes that one smaller."
    keeps_nan = False

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A linear layer of a concatenation with a product that nobody else needs, where the other order is cheaper."""
        if not is_call(node, aten.linear.default) or rank(arguments(node)["weight"]) != 2:
            return None
        whole = arguments(node)["input"]
        if not has_one_user(whole) or not is_call(whole, aten.cat.default):
            return None
        parts, last = list(arguments(whole)["tensors"]), rank(whole) - 1
        if positive(arguments(whole)["dim"], rank(whole)) != last or len(set(parts)) < len(parts) or len(parts) < 2:
            return None
        if any(rank(part) != rank(whole) or size_of(part, last) is None for part in parts):
            return None
        start = 0
        for part in parts:
            end = start + shape(part)[last]
            inner = _product_of(part) if has_one_user(part) and is_call(part, *PRODUCTS) else None
            if inner is not None and _is_smaller_first(inner, node):
                build = _beside(node, parts, part, inner, (start, end))
                return Rewrite(f"{part.name} and {label(node)} -> other order", (part, whole, node), build)
            start = end
        return None


class ProductPlusOthers(NodeRule):
    """A product A X plus or minus something else, then linear, with fewer outputs: A times the layer of X.

    W (z ± A X) + b = (W z + b) ± A (W X), row by row: a graph convolution that adds a node's own channels to those of
    its neighbours. Special values meet the same factors.
    """

    name = "product plus others in the cheaper order"
    reason = "A layer of a sum is the sum of its layers, and makes the product smaller if it comes first."
    keeps_nan = False

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A linear layer of a sum or difference with a product, none of which anybody else needs."""
        if not is_call(node, aten.linear.default) or rank(arguments(node)["weight"]) != 2:
            return None
        given = arguments(node)
        both = given["input"]
        if not has_one_user(both) or not is_call(both, *SUMS) or arguments(both)["alpha"] != 1:
            return None
        for part, other in (both.args[:2], both.args[1::-1]):
            if not has_one_user(part) or not is_call(part, *PRODUCTS) or not isinstance(other, fx.Node):
                continue
            inner = _product_of(part)
            if inner is None or not same_sizes(part, both) or not same_sizes(other, both):
                continue
            if _is_smaller_first(inner, node, again=True):
                return Rewrite(
                    f"{part.name} and {label(node)} -> other order",
                    (part, both, node),
                    lambda graph, inner=inner, part=part, other=other: _plus(graph, node, inner, part, other),  # type: ignore[misc]
                )
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


def _product_of(node: fx.Node) -> Product | None:
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


def _is_smaller_first(inner: Product, layer: fx.Node, *, again: bool = False) -> bool:
    """Whether A (B Wᵀ) and one addition are less work than (A B) Wᵀ, for the part W of a layer that A B meets.

    Args:
        again: Whether something else meets the same part, and is then multiplied with it as well.
    """
    a, b = inner.left, inner.right
    if rank(a.node) < 2 or rank(b.node) < 2 or (is_fixed(a.node) and is_fixed(b.node)):
        return False
    (m, k), n, p, batch = a.sizes, b.sizes[1], size_hint(shape(layer)[-1]), max(a.batch, b.batch)
    here, there = batch * m * n * (k + p), b.batch * k * n * p + batch * m * k * p
    there += batch * m * n * p if again else 0
    return (there + MOVED * 3 * elements(layer)) * MARGIN <= here


def _plus(graph: fx.Graph, layer: fx.Node, product: Product, part: fx.Node, other: fx.Node) -> fx.Node:
    """The sum or difference of the product with its operand's layer and the layer of something else."""
    weight, bias, both = (arguments(layer)[name] for name in ("weight", "bias", "input"))
    share = call(graph, aten.linear.default, product.right.node, weight)
    mixed = call(graph, aten.matmul.default, product.left.node, share)
    first = both.args[0] is part
    backwards = first and is_call(both, aten.sub.Tensor)
    own = call(graph, aten.linear.default, other, weight, None if backwards else bias)
    total = call(graph, both.target, *((mixed, own) if first else (own, mixed)))
    return call(graph, aten.add.Tensor, total, bias) if backwards and bias is not None else total


def _beside(
    layer: fx.Node, parts: list[fx.Node], part: fx.Node, product: Product, own: tuple[int, int]
) -> Callable[[fx.Graph], fx.Node]:
    """The layer of the other parts, and the product of its operand's share of the layer, added up."""
    given, (start, end) = arguments(layer), own

    def build(graph: fx.Graph) -> fx.Node:
        others = [each for each in parts if each is not part]
        source = others[0] if len(others) == 1 else call(graph, aten.cat.default, others, -1)
        left = [(0, start), (end, shape(given["weight"])[1])]
        rest = columns(graph, given["weight"], [each for each in left if each[0] < each[1]])
        share = call(graph, aten.linear.default, product.right.node, columns(graph, given["weight"], [own]))
        mixed = call(graph, aten.matmul.default, product.left.node, share)
        return call(graph, aten.add.Tensor, mixed, call(graph, aten.linear.default, source, rest, given["bias"]))

    return build


def _adds_up_to_one(node: fx.Node) -> bool:
    """Whether each row of a matrix adds up to 1."""
    return is_call(node, aten.softmax.int) and positive(arguments(node)["dim"], rank(node)) == rank(node) - 1


def _inner(matrix: Matrix) -> tuple[fx.Node, Product, Affine | None] | None:
    """A product that nobody else needs, what it multiplies, and the number that it is scaled with, if any."""
    node = matrix.node
    affine = affine_of(node)
    scaled_product = affine is not None and affine.number is not None
    product = affine.source if affine is not None and scaled_product else node
    found = _product_of(product)
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
