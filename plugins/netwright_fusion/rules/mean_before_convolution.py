"""A convolution that is averaged over positions needs the sums of its input only, one per kernel element."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod

import torch
from torch import fx

from netwright_fusion.graph import call, shape
from netwright_fusion.rules.convolution import Convolution, convolution_of, convolve_like, plain_weight
from netwright_fusion.rules.matching import has_one_user, label
from netwright_fusion.rules.reduction import Reduction, reduce, reduction_of, without
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


@dataclass(frozen=True)
class Visits:
    """The input positions start, start + step, … below end that one kernel element meets as it slides."""

    start: int
    end: int
    step: int = 1


class MeanBeforeConvolution(NodeRule):
    """Convolution, then sum or mean over one spatial dimension or more: sums of the input along those first.

    Σₒ yₒ = Σₒ Σₖ Wₖ x[s o + d k - p] = Σₖ Wₖ Sₖ, where Sₖ sums x over the positions that kernel element k meets; a
    transposed convolution has Σₒ yₒ = Σₖ Wₖ Σᵢ x[i] over those i whose s i + d k - p lies inside the output. Dimensions
    are independent: along those that stay, the Sₖ are convolved as before. A transposed convolution that has such stays
    one; along the others it gets the Sₖ in reverse order, and K - 1 steps from either end of what it makes of them,
    element k meets Sₖ. At the borders the Sₖ differ (padding is met by some elements and not by others), in the middle
    they are one sum. Positions that no element meets enter no Sₖ, so that special values there stay without effect; one
    at any other position reaches every output channel on both sides.
    """

    name = "mean over positions before convolution"
    reason = "The sum of a convolution over positions is a small convolution of sums of the input."
    keeps_nan = False

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A sum or mean over spatial dimensions, and perhaps others, of a convolution that nobody else needs."""
        found = reduction_of(node)
        conv = convolution_of(found.source) if found and has_one_user(found.source) else None
        if found is None or conv is None or not found.is_linear:
            return None
        along = [dim - 2 for dim in found.dims if dim >= 2]
        if prod(conv.spatial_out[index] for index in along) == 1:
            return None
        visits = {index: _visits(conv, index) for index in along}
        if any(None in each for each in visits.values()):
            return None
        exact: dict[int, list[Visits]] = visits  # type: ignore[assignment]
        return Rewrite(
            f"{label(found.source)} -> {found.kind} over positions first",
            (found.source, node),
            lambda graph: _build(graph, conv, found, exact),
        )


def _visits(conv: Convolution, index: int) -> list[Visits | None]:
    """Per kernel element of one dimension, what it meets; None where that is nothing."""
    size, out = conv.spatial_in[index], conv.spatial_out[index]
    stride, padding, dilation = conv.stride[index], conv.padding[index], conv.dilation[index]
    found: list[Visits | None] = []
    for element in range(conv.kernel[index]):
        offset = dilation * element - padding
        if conv.transposed:
            start, end, step = max(0, -(offset // stride)), min(size, (out - 1 - offset) // stride + 1), 1
        else:
            first, last = max(0, -(offset // stride)), min(out - 1, (size - 1 - offset) // stride)
            start, end, step = stride * first + offset, stride * last + offset + 1, stride
        found.append(Visits(start, end, step) if start < end else None)
    return found


def _build(graph: fx.Graph, conv: Convolution, found: Reduction, visits: dict[int, list[Visits]]) -> fx.Node:
    """The small convolution; `visits` says, per spatial dimension that is reduced, what each kernel element meets."""
    transposed = conv.transposed and len(visits) < conv.spatial
    weight = plain_weight(graph, conv) if conv.transposed and not transposed else conv.weight
    sums = conv.source
    for index, met in sorted(visits.items(), reverse=True):
        dim = 2 + index
        if len(set(met)) == 1:
            sums = _sum(graph, sums, dim, met[0])
            weight = weight if conv.kernel[index] == 1 else reduce(graph, "sum", weight, (dim,), keepdim=True)
        else:
            sums = _sums(graph, sums, dim, met[::-1] if transposed else met)
    count = prod(conv.spatial_out[index] for index in visits)
    bias = conv.bias
    if found.kind == "mean":
        weight = call(graph, aten.div.Tensor, weight, count)
    elif bias is not None:
        bias = call(graph, aten.mul.Tensor, bias, count)
    ones, zeros = (1,) * conv.spatial, (0,) * conv.spatial
    middle = tuple(size - 1 for size in shape(weight)[2:])
    like = replace(
        conv,
        transposed=transposed,
        stride=_elsewhere(conv.stride, visits, ones),
        padding=_elsewhere(conv.padding, visits, middle if transposed else zeros),
        dilation=_elsewhere(conv.dilation, visits, ones),
        output_padding=_elsewhere(conv.output_padding, visits, zeros),
    )
    small = convolve_like(graph, like, sums, weight, bias)
    reduced = tuple(2 + index for index in sorted(visits))
    small = without(graph, small, reduced, keepdim=found.keepdim)
    return reduce(graph, found.kind, small, tuple(set(found.dims) - set(reduced)), keepdim=found.keepdim)


def _elsewhere(sizes: tuple[int, ...], visits: Mapping[int, object], there: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(there[index] if index in visits else size for index, size in enumerate(sizes))


def _sums(graph: fx.Graph, node: fx.Node, dim: int, visits: list[Visits]) -> fx.Node:
    """The sums over what each kernel element meets, side by side: what is left out at the borders is subtracted."""
    size = shape(node)[dim]
    if all(each.step == 1 and each.start + size - each.end < size // 2 for each in visits) and covered(visits, size):
        whole = reduce(graph, "sum", node, (dim,), keepdim=True)
        parts = {each: _without_border(graph, node, whole, dim, each) for each in dict.fromkeys(visits)}
    else:
        parts = {each: _sum(graph, node, dim, each) for each in dict.fromkeys(visits)}
    return call(graph, aten.cat.default, [parts[each] for each in visits], dim)


def covered(visits: list[Visits], size: int) -> bool:
    """Whether every position is met by some element."""
    ordered = sorted(visits, key=lambda each: each.start)
    reach = [max(each.end for each in ordered[: index + 1]) for index in range(len(ordered))]
    gaps = any(later.start > end for end, (_, later) in zip(reach, pairwise(ordered), strict=False))
    return ordered[0].start == 0 and reach[-1] == size and not gaps


def _without_border(graph: fx.Graph, node: fx.Node, whole: fx.Node, dim: int, kept: Visits) -> fx.Node:
    for border in (Visits(0, kept.start), Visits(kept.end, shape(node)[dim])):
        if border.start < border.end:
            whole = call(graph, aten.sub.Tensor, whole, _sum(graph, node, dim, border))
    return whole


def _sum(graph: fx.Graph, node: fx.Node, dim: int, visits: Visits) -> fx.Node:
    size = shape(node)[dim]
    if (visits.start, visits.end, visits.step) != (0, size, 1):
        node = call(graph, aten.slice.Tensor, node, dim, visits.start, visits.end, visits.step)
    return node if shape(node)[dim] == 1 else reduce(graph, "sum", node, (dim,), keepdim=True)
