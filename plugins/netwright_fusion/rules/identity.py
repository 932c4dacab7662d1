"""Operators that return what they are given."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call, is_tensor, shape
from netwright_fusion.rules.affine import affine_of
from netwright_fusion.rules.convolution import average_pool_of, max_pool_of
from netwright_fusion.rules.matching import has_one_user, known, may_stand_for, positive, rank, same_sizes, source
from netwright_fusion.rules.reduction import reduction_of
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
VIEWS = (
    aten.view.default,
    aten.reshape.default,
    aten.flatten.using_ints,
    aten.squeeze.dim,
    aten.squeeze.dims,
    aten.squeeze.default,
    aten.expand.default,
    aten.contiguous.default,
    aten.clone.default,
    aten.alias.default,
    aten.slice.Tensor,
)
DROPOUTS = (aten.dropout.default, aten.feature_dropout.default, aten.alpha_dropout.default)


class Identity(NodeRule):
    """Dropout that drops nothing, factors of 1, terms of 0, views of the same shape, pools of single elements: nothing.

    Dropout returns its input in eval mode, or with probability 0. x · 1 = x / 1 = x + 0 = x. A window of one element at
    stride 1 is the element. A view or copy with its input's sizes and strides is its input.
    """

    name = "identity"
    reason = "It returns what it is given."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A call that is the identity, whose input can stand for it."""
        if not node.args or not is_tensor(node.args[0]) or not is_tensor(node):
            return None
        given = _identical(node)
        if given is None or not may_stand_for(given, node):
            return None
        return Rewrite(f"{node.name} -> nothing", (node,), lambda _: given)


class Detached(NodeRule):
    """A tensor without its gradient: the tensor.

    Only gradients tell the two apart.
    """

    name = "detached tensor"
    reason = "It has the same values; gradients, which would come to pass it, are not asked for."
    conditions = "fixed weights"

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A detached tensor that is not returned, and that its source can stand for."""
        if not is_call(node, aten.detach.default) or any(user.op == "output" for user in node.users):
            return None
        if not may_stand_for(source(node), node):
            return None
        return Rewrite(f"{node.name} -> nothing", (node,), lambda _: source(node))


class SingletonReduction(NodeRule):
    """A sum, mean, maximum, log-sum-exp or norm over dimensions of size 1: the only element.

    Σ x = mean x = max x = x over one element, and log exp x = x. NaN stays NaN; log-sum-exp of an infinity is that
    infinity.
    """

    name = "reduction of one element"
    reason = "There is one element to reduce."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A reduction over dimensions that all have size 1."""
        dims, keepdim = _reduced(node)
        if not dims or not all(known(size) and size == 1 for size in (shape(source(node))[dim] for dim in dims)):
            return None
        reduced = source(node)
        if keepdim:
            given = reduced if may_stand_for(reduced, node) else None
            return Rewrite(f"{node.name} -> nothing", (node,), lambda _: given) if given else None
        if any(user.op == "output" for user in node.users):
            return None
        return Rewrite(
            f"{node.name} -> squeeze", (node,), lambda graph: call(graph, aten.squeeze.dims, reduced, list(dims))
        )


class DoubleTranspose(NodeRule):
    """Two permutations in a row: one, or none.

    The second permutation picks from the dimensions as the first one ordered them.
    """

    name = "permutation of permutation"
    reason = "Two permutations are one."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A permutation of a permutation."""
        outer = permutation_of(node)
        inner = permutation_of(source(node)) if outer else None
        if outer is None or inner is None or not has_one_user(source(node)):
            return None
        both, start = [inner[dim] for dim in outer], source(source(node))
        if both == sorted(both):
            return Rewrite(f"{node.name} -> nothing", (source(node), node), lambda _: start)
        return Rewrite(
            f"{node.name} -> one permutation",
            (source(node), node),
            lambda graph: call(graph, aten.permute.default, start, both),
        )


def permutation_of(node: fx.Node) -> list[int] | None:
    """How a call orders its input's dimensions, or None where it does something else."""
    if not isinstance(node, fx.Node) or not node.args or not is_tensor(node.args[0]):
        return None
    dims = rank(source(node))
    order = list(range(dims))
    if is_call(node, aten.permute.default):
        return [positive(dim, dims) for dim in arguments(node)["dims"]]
    if is_call(node, aten.t.default, aten.numpy_T.default, aten.mT.default) and dims == 2:
        return [1, 0]
    if is_call(node, aten.transpose.int) and dims:
        first, second = (positive(arguments(node)[key], dims) for key in ("dim0", "dim1"))
        order[first], order[second] = order[second], order[first]
        return order
    return None


def _identical(node: fx.Node) -> fx.Node | None:
    """The argument that a call returns unchanged, or None."""
    first = source(node)
    if is_call(node, *DROPOUTS):
        given = arguments(node)
        return first if not given["train"] or given["p"] == 0 else None
    affine = affine_of(node)
    if affine is not None and not isinstance(affine.operand, fx.Node):
        neutral = 1 if affine.scale is not None else 0
        return affine.source if affine.operand == neutral else None
    pool = max_pool_of(node) or average_pool_of(node)
    if pool is not None and {*pool.kernel, *pool.stride} == {1}:
        return first if pool.is_plain else None
    if is_call(node, *VIEWS) and same_sizes(first, node):
        return first if _strides(first) == _strides(node) else None
    return None


def _strides(node: fx.Node) -> list[str]:
    return [str(stride) for stride in node.meta["val"].stride()]


def _reduced(node: fx.Node) -> tuple[tuple[int, ...], bool]:
    """The dimensions that a call reduces, and whether they stay; none where it is no such reduction."""
    found = reduction_of(node)
    if found is not None:
        return found.dims, found.keepdim
    if is_call(node, aten.logsumexp.default):
        given = arguments(node)
        dims = tuple(sorted(positive(dim, rank(given["self"])) for dim in given["dim"]))
        return dims, given["keepdim"]
    return (), False
