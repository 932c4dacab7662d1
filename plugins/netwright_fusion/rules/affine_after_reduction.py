"""Scaling or shifting before a reduction can be done after it, to fewer elements."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call, shape
from netwright_fusion.rules.affine import Affine, affine_of, scaled
from netwright_fusion.rules.convolution import average_pool_of
from netwright_fusion.rules.matching import has_one_user, rank, same_sizes
from netwright_fusion.rules.reduction import Reduction, reduce, reduction_of
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class AffineAfterReduction(NodeRule):
    """A scale or shift that is the same for all elements that are reduced: the reduction first.

    Σ (s x) = s Σ x and Σ (x + t) = Σ x + n t; a mean has s mean x and mean x + t; max (s x) = s max x for s > 0, and
    max (x + t) = max x + t, since both keep the order. NaN and infinities pass through either way; a scale of 0 would
    make NaN of other infinities, and is left alone.
    """

    name = "scale or shift after reduction"
    reason = "What does the same to all elements of a reduction can be done to its result."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A reduction of something scaled or shifted for it alone, by what is constant along the reduced dimensions."""
        found = reduction_of(node)
        affine = affine_of(found.source) if found else None
        if found is None or affine is None or not has_one_user(found.source) or affine.number == 0:
            return None
        if affine.scale is not None and not found.is_linear and not (affine.number or 0) > 0:
            return None
        count = found.count
        if affine.shift is not None and found.kind == "sum" and count is None:
            return None
        if not _is_constant_along(affine, rank(found.source), found.dims):
            return None

        def build(graph: fx.Graph) -> fx.Node:
            reduced = reduce(graph, found.kind, affine.source, found.dims, keepdim=found.keepdim)
            operand = _operand(graph, affine, found)
            if affine.shift is not None and found.kind == "sum" and count is not None:
                operand = _times(graph, operand, count)
            return scaled(graph, reduced, affine, operand)

        return Rewrite(f"{found.source.name} -> after {found.kind}", (found.source, node), build)


class AffineAfterAveragePool(NodeRule):
    """A scale or shift that is the same at all positions, then an average pool: the pool first.

    Windows inside the image: mean (s x + t) = s mean x + t. With zeros beyond the border, or another divisor, only a
    scale commutes.
    """

    name = "scale or shift after average pool"
    reason = "What does the same to all elements of a window can be done to its mean."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """An average pool of something scaled or shifted for it alone by what is constant over positions."""
        pool = average_pool_of(node)
        affine = affine_of(pool.source) if pool else None
        if pool is None or affine is None or not has_one_user(pool.source) or affine.number == 0:
            return None
        dims = rank(pool.source)
        if not _is_constant_along(affine, dims, tuple(range(dims - pool.spatial, dims))):
            return None
        if affine.shift is not None and not pool.is_plain:
            return None
        if same_sizes(node, pool.source):
            return None

        def build(graph: fx.Graph) -> fx.Node:
            rest = list(arguments(node).values())[1:]
            return scaled(graph, call(graph, node.target, affine.source, *rest), affine)  # type: ignore[arg-type]

        return Rewrite(f"{pool.source.name} -> after average pool", (pool.source, node), build)


class EvalBatchNormAfterAverage(NodeRule):
    """BatchNorm in eval mode, then a mean or average pool over positions: the average first.

    With fixed statistics BatchNorm is a scale and a shift per channel, the same at all positions, and commutes with
    their mean.
    """

    name = "BatchNorm after average"
    reason = "With fixed statistics, BatchNorm does the same at all positions, and can be done to their mean."
    conditions = "eval only"

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A mean that keeps its dimensions, or a plain average pool, of such a BatchNorm that nobody else needs."""
        pool, found = average_pool_of(node), reduction_of(node)
        if pool is not None and pool.is_plain:
            norm = pool.source
        elif found is not None and found.kind == "mean" and found.keepdim and min(found.dims) > 1:
            norm = found.source
        else:
            return None
        if not has_one_user(norm) or not is_call(norm, aten.batch_norm.default) or arguments(norm)["training"]:
            return None
        if arguments(norm)["running_mean"] is None or (pool is not None and rank(norm) < pool.spatial + 2):
            return None
        if same_sizes(node, norm):
            return None

        def build(graph: fx.Graph) -> fx.Node:
            _, *rest = arguments(node).values()
            inner = [value for key, value in arguments(norm).items() if key != "input"]
            kwargs = {"dtype": rest.pop()} if is_call(node, aten.mean.dim) else {}
            average = call(graph, node.target, arguments(norm)["input"], *rest, **kwargs)  # type: ignore[arg-type]
            return call(graph, aten.batch_norm.default, average, *inner)

        return Rewrite(f"{norm.name} -> after average", (norm, node), build)


def _times(graph: fx.Graph, operand: float | fx.Node, count: int) -> float | fx.Node:
    return call(graph, aten.mul.Tensor, operand, count) if isinstance(operand, fx.Node) else operand * count


def _is_constant_along(affine: Affine, dims: int, reduced: tuple[int, ...]) -> bool:
    operand = affine.operand
    if not isinstance(operand, fx.Node):
        return True
    sizes = shape(operand)
    offset = dims - len(sizes)
    return all(sizes[dim - offset] == 1 for dim in reduced if dim >= offset)


def _operand(graph: fx.Graph, affine: Affine, found: Reduction) -> float | fx.Node:
    """The scale or shift without the reduced dimensions, where they do not stay."""
    operand = affine.operand
    if not isinstance(operand, fx.Node) or found.keepdim:
        return operand
    offset = rank(found.source) - rank(operand)
    gone = [dim - offset for dim in found.dims if dim >= offset]
    return call(graph, aten.squeeze.dims, operand, gone) if gone else operand
