"""A layer whose outputs are set out in groups, and summed or averaged over the groups or within them."""

from dataclasses import dataclass, replace
from math import prod

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call, shape
from netwright_fusion.rules.convolution import convolution_of, convolve_like
from netwright_fusion.rules.matching import has_one_user, known, label, rank, source
from netwright_fusion.rules.reduction import Reduction, reduce, reduction_of, without
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
SPLITS = (aten.view.default, aten.reshape.default, aten.unflatten.int, aten._unsafe_view.default)


@dataclass(frozen=True)
class Split:
    """A view of a layer's output whose feature dimension stands as several.

    Attributes:
        layer: A linear layer, or a plain convolution without groups.
        dim: The layer's feature dimension, and the first of those that it becomes.
        sizes: What it becomes.
    """

    layer: fx.Node
    dim: int
    sizes: tuple[int, ...]


class GroupedOutputsSum(NodeRule):
    """Linear or convolution, outputs set out as (groups, outputs), then sum or mean over one of these: summed weights.

    An output is linear in its row of weights: with rows w[g, o], Σ_g (w[g, o] · x + b[g, o]) = (Σ_g w[g, o]) · x +
    Σ_g b[g, o], and so for sums over o, or over any of more dimensions. Only the sums are computed. Special values in x
    reach every output, or those at the same positions, on both sides.
    """

    name = "sum over groups of outputs into weights"
    reason = "The sum over groups of a layer's outputs is a layer with the sum of their weights."
    keeps_nan = False

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A sum or mean over split features, and perhaps other dimensions, of a layer that nobody else needs."""
        found = reduction_of(node)
        split = _split_of(found.source) if found and found.is_linear and has_one_user(found.source) else None
        if found is None or split is None:
            return None
        inner = [dim - split.dim for dim in found.dims if split.dim <= dim < split.dim + len(split.sizes)]
        if prod(split.sizes[index] for index in inner) == 1:
            return None
        return Rewrite(
            f"{label(split.layer)} -> {found.kind} over groups of outputs",
            (split.layer, found.source, node),
            lambda graph: _build(graph, found, split, tuple(inner)),
        )


def _split_of(node: fx.Node) -> Split | None:
    if not is_call(node, *SPLITS) or not has_one_user(source(node)):
        return None
    layer = source(node)
    if is_call(layer, aten.linear.default) and rank(arguments(layer)["weight"]) == 2:
        dim = rank(layer) - 1
    else:
        conv = convolution_of(layer)
        if conv is None or conv.transposed or conv.groups != 1:
            return None
        dim = 1
    before, after = shape(layer), shape(node)
    extra = len(after) - len(before)
    sizes = after[dim : dim + extra + 1]
    if extra < 1 or not all(known(size) for size in sizes) or prod(sizes) != before[dim]:
        return None
    if any(
        str(old) != str(new) for old, new in zip(_others(before, dim, 1), _others(after, dim, extra + 1), strict=True)
    ):
        return None
    return Split(layer, dim, tuple(sizes))


def _others(sizes: tuple[object, ...], dim: int, count: int) -> tuple[object, ...]:
    return sizes[:dim] + sizes[dim + count :]


def _build(graph: fx.Graph, found: Reduction, split: Split, inner: tuple[int, ...]) -> fx.Node:
    given = arguments(split.layer)

    def summed(parameter: fx.Node) -> fx.Node:
        rest = list(shape(parameter)[1:])
        grouped = call(graph, aten.reshape.default, parameter, [*split.sizes, *rest])
        return call(graph, aten.reshape.default, reduce(graph, found.kind, grouped, inner, keepdim=False), [-1, *rest])

    weight, bias = summed(given["weight"]), given["bias"] and summed(given["bias"])
    conv = convolution_of(split.layer)
    if conv is None:
        small = call(graph, aten.linear.default, given["input"], weight, bias)
    else:
        small = convolve_like(graph, replace(conv, weight=weight), conv.source, weight, bias)
    kept = [1 if index in inner else size for index, size in enumerate(split.sizes)]
    apart = call(graph, aten.unflatten.int, small, split.dim, kept)
    dims = tuple(split.dim + index for index in inner)
    outer = tuple(dim for dim in found.dims if dim not in dims)
    return without(graph, reduce(graph, found.kind, apart, outer, keepdim=True), found.dims, keepdim=found.keepdim)
