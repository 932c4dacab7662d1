"""Attention spelt out in two products and a softmax is one operator, which never stores the scores."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.experimental.symbolic_shapes import statically_known_true
from torch.fx.node import map_arg

from netwright_fusion.graph import arguments, assume, call, dtype, is_call, is_tensor, shape
from netwright_fusion.rules.affine import affine_of
from netwright_fusion.rules.matching import has_one_user, is_fixed, positive, rank, same_sizes, size_of
from netwright_fusion.rules.matmul_sum import PRODUCTS
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


@dataclass(frozen=True)
class Attention:
    """softmax(scale · q kᵀ + mask) v.

    Attributes:
        keys: kᵀ, the operand as it stands in the product.
        mask: What is added to the scores, if anything.
        hidden: Where scores become minus infinity, if anywhere, or where not.
        shows: Whether `hidden` is where not.
        steps: The nodes between, in the order in which they are computed.
    """

    query: fx.Node
    keys: fx.Node
    values: fx.Node
    scale: float
    mask: fx.Node | None
    hidden: fx.Node | None
    shows: bool
    steps: tuple[fx.Node, ...]


class AttentionByHand(NodeRule):
    """Queries times keys, softmax, times values: scaled dot-product attention.

    The operator computes softmax(s q kᵀ + m) v block by block: with the largest score so far it keeps Σⱼ exp(xⱼ) and
    Σⱼ exp(xⱼ) vⱼ, and rescales both where a larger score comes, so that the quotient is the same. It must be measured,
    since blocks of few tokens gain little. A row of infinite scores is NaN by hand, and may be 0 by the operator.
    """

    name = "attention by hand"
    reason = "There is one operator for what the steps compute, which does not store the scores."
    measured = True
    needs_finite = True

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """The second product of an attention whose scores nobody else needs, with a mask that is added, or none."""
        found = _attention(node)
        if found is None or found.hidden is not None:
            return None
        return Rewrite(f"{node.name} -> attention", (*found.steps, node), _build(found, causal=False))


class CausalAttentionByHand(NodeRule):
    """Attention whose mask hides what comes after each query: the operator's own causal mask.

    Whether a mask of constants is that is seen by computing it, and assumed from then on: a buffer may be loaded anew.
    The operator then leaves out the blocks that nobody sees, nearly half of the products.
    """

    name = "causal attention by hand"
    reason = "The operator for attention knows a causal mask, and computes no block that it hides."
    conditions = "fixed weights"
    measured = True
    needs_finite = True

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """The second product of an attention of a sequence to itself with a causal mask of constants."""
        found = _attention(node)
        if found is None or (found.hidden is None) == (found.mask is None):
            return None
        if not _is_causal(found):
            return None
        return Rewrite(f"{node.name} -> causal attention", (*found.steps, node), _build(found, causal=True))


def _attention(node: fx.Node) -> Attention | None:
    """The node as the second product of an attention, or None."""
    if not is_call(node, *PRODUCTS):
        return None
    weights, values = list(arguments(node).values())[:2]
    if not has_one_user(weights) or not is_call(weights, aten.softmax.int):
        return None
    given = arguments(weights)
    scores = given["self"]
    if positive(given["dim"], rank(weights)) != rank(weights) - 1 or given["dtype"] is not None:
        return None
    for score, mask, hidden, shows in _masked(scores):
        scaled = affine_of(score)
        product = scaled.source if scaled is not None and scaled.number is not None else score
        chain = tuple(dict.fromkeys((product, score, scores, weights)))
        if not is_call(product, *PRODUCTS) or not all(has_one_user(each) for each in chain):
            continue
        query, keys = list(arguments(product).values())[:2]
        scale = scaled.number if scaled is not None and product is not score and scaled.number is not None else 1.0
        if _fits(query, keys, values) and same_sizes(score, scores):
            return Attention(query, keys, values, scale, mask, hidden, shows, chain)
    return None


def _masked(node: fx.Node) -> list[tuple[fx.Node, fx.Node | None, fx.Node | None, bool]]:
    """Scores before they are masked, what is added to them, and where they are hidden or shown."""
    if is_call(node, aten.add.Tensor) and arguments(node)["alpha"] == 1:
        one, other = node.args[:2]
        if not isinstance(one, fx.Node) or not is_tensor(other):
            return [(node, None, None, False)]
        assert isinstance(other, fx.Node)
        pairs = [(one, other), (other, one)]
        return [(score, mask, None, False) for score, mask in pairs if dtype(mask) == dtype(node)]
    if is_call(node, aten.masked_fill.Scalar) and node.args[2] == -inf:
        return [(node.args[0], None, node.args[1], False)]  # type: ignore[list-item]
    if is_call(node, aten.where.ScalarOther) and node.args[2] == -inf:
        return [(node.args[1], None, node.args[0], True)]  # type: ignore[list-item]
    return [(node, None, None, False)]


def _fits(query: fx.Node, keys: fx.Node, values: fx.Node) -> bool:
    """Whether the operator's fast kernels take these: batches alike, and values as wide as keys."""
    if not rank(query) == rank(keys) == rank(values) or rank(query) not in (3, 4):
        return False
    batches = [shape(each)[:-2] for each in (query, keys, values)]
    alike = all(
        statically_known_true(size == other)
        for each in batches[1:]
        for size, other in zip(batches[0], each, strict=True)
    )
    width = size_of(query, rank(query) - 1)
    return alike and width is not None and width == size_of(values, rank(values) - 1)


def _is_causal(found: Attention) -> bool:
    """Whether the mask is one of constants, and hides just what comes after each query."""
    mask = found.mask or found.hidden
    tokens = size_of(found.query, rank(found.query) - 2)
    assert mask is not None
    if not is_fixed(mask) or tokens is None or size_of(found.keys, rank(found.keys) - 1) != tokens:
        return False
    if rank(mask) < 2 or tuple(shape(mask)) != (1,) * (rank(mask) - 2) + (tokens, tokens):
        return False
    constant = _constant(mask).reshape(tokens, tokens)
    later = torch.ones(tokens, tokens, dtype=torch.bool, device=constant.device).triu(1)
    if found.hidden is not None:
        return torch.equal(constant.bool() != found.shows, later)
    return torch.equal(constant, torch.zeros_like(constant).masked_fill(later, -inf))


def _hides_what_follows(graph: fx.Graph, found: Attention) -> fx.Node:
    """Whether the mask, of whichever values, hides just what comes after each query."""
    mask = found.mask or found.hidden
    assert mask is not None
    everywhere = call(graph, aten.ones_like.default, mask, dtype=torch.bool)
    later = call(graph, aten.triu.default, everywhere, 1)
    if found.hidden is not None:
        hidden = mask if dtype(mask) is torch.bool else call(graph, aten.ne.Scalar, mask, 0)
        wanted = call(graph, aten.logical_not.default, later) if found.shows else later
        return call(graph, aten.all.default, call(graph, aten.eq.Tensor, hidden, wanted))
    shown = call(graph, aten.zeros_like.default, mask)
    wanted = call(graph, aten.masked_fill.Scalar, shown, later, -inf)
    return call(graph, aten.all.default, call(graph, aten.eq.Tensor, mask, wanted))


def _constant(node: fx.Node) -> Tensor:
    """What a node that depends on parameters, buffers and constants only holds now."""
    if node.op == "get_attr":
        tensor: Tensor = operator.attrgetter(str(node.target))(node.graph.owning_module)
        return tensor
    with torch.no_grad():
        args, kwargs = map_arg((node.args, node.kwargs), _constant)
        result: Tensor = node.target(*args, **kwargs)  # type: ignore[operator]
        return result


def _build(found: Attention, *, causal: bool) -> Callable[[fx.Graph], fx.Node]:
    flat = rank(found.query) == 3

    def lifted(graph: fx.Graph, node: fx.Node) -> fx.Node:
        return call(graph, aten.unsqueeze.default, node, 1) if flat else node

    def build(graph: fx.Graph) -> fx.Node:
        if causal:
            assume(graph, _hides_what_follows(graph, found), "the mask is not causal any more")
        keys = call(graph, aten.transpose.int, found.keys, -2, -1)
        operands: list[Any] = [lifted(graph, each) for each in (found.query, keys, found.values)]
        mask = None if causal or found.mask is None else found.mask
        if mask is not None and rank(mask) == 1:
            mask = call(graph, aten.unsqueeze.default, mask, 0)
        if mask is not None and rank(mask) == 3:
            mask = call(graph, aten.unsqueeze.default, mask, 1 if flat else 0)
        settings = {"scale": found.scale}
        result = call(graph, aten.scaled_dot_product_attention.default, *operands, mask, 0.0, causal, **settings)
        return call(graph, aten.squeeze.dim, result, 1) if flat else result

    return build
