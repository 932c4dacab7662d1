"""The mean or sum of a group norm's output over positions follows from means and deviations of its input."""

from math import prod

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call, shape
from netwright_fusion.rules.matching import has_one_user, known, label, rank
from netwright_fusion.rules.reduction import Reduction, reduce, reduction_of, without
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class GroupNormMean(NodeRule):
    """Group norm, then mean or sum over all positions: from each channel's mean and each group's mean and variance.

    With y = w_c (x - μ_g) / √(v_g + ε) + b_c, the mean over positions is w_c (m_c - μ_g) / √(v_g + ε) + b_c. m_c is
    channel c's mean, μ_g the mean of the m_c of its group, v_g the group's variance. A sum is as many times the mean.
    No normalised image is made. It must be measured, since PyTorch's variance takes longer than its group norm on a
    CPU, operator by operator.
    """

    name = "group norm to mean from statistics"
    reason = "The mean of normalised values is the normalised mean; no normalised image is needed."
    measured = True
    keeps_nan = False

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A mean or sum over all spatial dimensions, and perhaps others, of a group norm that nobody else needs."""
        found = reduction_of(node)
        if found is None or not found.is_linear or not is_call(found.source, aten.group_norm.default):
            return None
        given = arguments(found.source)
        sizes, dims = shape(given["input"]), rank(given["input"])
        if not has_one_user(found.source) or dims < 3 or not set(range(2, dims)) <= set(found.dims):
            return None
        if not all(known(size) for size in sizes[1:]) or sizes[1] == given["num_groups"]:
            return None
        return Rewrite(
            f"{label(found.source)} -> {found.kind} from statistics",
            (found.source, node),
            lambda graph: _build(graph, found),
        )


def _build(graph: fx.Graph, found: Reduction) -> fx.Node:
    given = arguments(found.source)
    image, groups, dims = given["input"], given["num_groups"], rank(given["input"])
    channels, spatial = shape(image)[1], tuple(range(2, dims))
    per_group = call(graph, aten.unflatten.int, image, 1, [groups, channels // groups])
    variance = call(graph, aten.var.correction, per_group, list(range(2, dims + 1)), correction=0)
    deviation = call(graph, aten.rsqrt.default, call(graph, aten.add.Tensor, variance, given["eps"]))
    means = call(graph, aten.unflatten.int, reduce(graph, "mean", image, spatial, keepdim=False), 1, [groups, -1])
    centred = call(graph, aten.sub.Tensor, means, reduce(graph, "mean", means, (2,), keepdim=True))
    normal = call(graph, aten.mul.Tensor, centred, call(graph, aten.unsqueeze.default, deviation, -1))
    result = call(graph, aten.flatten.using_ints, normal, 1)
    if given["weight"] is not None:
        result = call(graph, aten.mul.Tensor, result, given["weight"])
    if given["bias"] is not None:
        result = call(graph, aten.add.Tensor, result, given["bias"])
    result = column_to(graph, result, dims)
    if found.kind == "sum":
        result = call(graph, aten.mul.Tensor, result, prod(shape(image)[2:]))
    others = tuple(dim for dim in found.dims if dim < 2)
    result = reduce(graph, found.kind, result, others, keepdim=True)
    return without(graph, result, found.dims, keepdim=found.keepdim)


def column_to(graph: fx.Graph, node: fx.Node, dims: int) -> fx.Node:
    """The node with dimensions of size 1 appended up to `dims`."""
    for _ in range(dims - rank(node)):
        node = call(graph, aten.unsqueeze.default, node, -1)
    return node
