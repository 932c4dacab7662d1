"""A matrix product among what a linear layer takes can be taken after the layer, where that makes it smaller."""

from collections.abc import Callable

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, elements, is_call, shape, size_hint
from netwright_fusion.rules.layer_of_copies import columns
from netwright_fusion.rules.matching import has_one_user, is_fixed, label, positive, rank, same_sizes, size_of
from netwright_fusion.rules.matmul_chain import MARGIN, MOVED, Product, product_of
from netwright_fusion.rules.matmul_sum import PRODUCTS
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
SUMS = (aten.add.Tensor, aten.sub.Tensor)


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
            inner = product_of(part) if has_one_user(part) and is_call(part, *PRODUCTS) else None
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
            inner = product_of(part)
            if inner is None or not same_sizes(part, both) or not same_sizes(other, both):
                continue
            if _is_smaller_first(inner, node, again=True):
                return Rewrite(
                    f"{part.name} and {label(node)} -> other order",
                    (part, both, node),
                    lambda graph, inner=inner, part=part, other=other: _plus(graph, node, inner, part, other),  # type: ignore[misc]
                )
        return None


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
