"""A convolution whose output channels are summed or averaged needs one output channel only."""

from dataclasses import replace

import torch
from torch import fx

from netwright_fusion.graph import call
from netwright_fusion.rules.convolution import Convolution, convolution_of, convolve_like
from netwright_fusion.rules.matching import has_one_user, label
from netwright_fusion.rules.reduction import reduce, reduction_of, without
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class ConvolutionChannelSum(NodeRule):
    """Convolution or transposed convolution, then sum or mean over channels: one channel with summed kernels.

    Each output channel is linear in its kernel: Σ_c (x * W_c + b_c) = x * (Σ_c W_c) + Σ_c b_c. With groups, the
    kernels are summed within each group, and the sums stand side by side over all input channels of one group.
    Special values in x reach every channel that they reach on the left, and hence the sum, on both sides.
    """

    name = "convolution to sum over channels"
    reason = "The sum of a convolution's channels is a convolution with the sum of the kernels."
    keeps_nan = False

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A sum or mean over dimension 1, and perhaps others, of a convolution that nobody else needs."""
        found = reduction_of(node)
        conv = convolution_of(found.source) if found and has_one_user(found.source) else None
        if found is None or conv is None or not found.is_linear or 1 not in found.dims or conv.channels_out == 1:
            return None

        def build(graph: fx.Graph) -> fx.Node:
            weight = _summed(graph, conv)
            bias = conv.bias and reduce(graph, "sum", conv.bias, (0,), keepdim=True)
            if found.kind == "mean":
                weight = call(graph, aten.div.Tensor, weight, conv.channels_out)
                bias = bias and call(graph, aten.div.Tensor, bias, conv.channels_out)
            single = convolve_like(graph, replace(conv, groups=1), conv.source, weight, bias)
            others = tuple(dim for dim in found.dims if dim != 1)
            reduced = reduce(graph, found.kind, single, others, keepdim=True)
            return without(graph, reduced, found.dims, keepdim=found.keepdim)

        return Rewrite(f"{label(found.source)} -> {found.kind} over channels", (found.source, node), build)


def _summed(graph: fx.Graph, conv: Convolution) -> fx.Node:
    """The sum of the kernels, as the weight of a convolution without groups."""
    if conv.transposed:
        return reduce(graph, "sum", conv.weight, (1,), keepdim=True)
    if conv.groups == 1:
        return reduce(graph, "sum", conv.weight, (0,), keepdim=True)
    outer, inner = conv.channels_out // conv.groups, conv.channels_in // conv.groups
    grouped = call(graph, aten.reshape.default, conv.weight, [conv.groups, outer, inner, *conv.kernel])
    summed = reduce(graph, "sum", grouped, (1,), keepdim=False)
    return call(graph, aten.reshape.default, summed, [1, conv.channels_in, *conv.kernel])
