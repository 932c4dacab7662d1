"""A linear layer or pointwise convolution of another layer can be one layer, whose weights are multiplied once."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call, shape
from netwright_fusion.rules.affine_into_weights import channel_dim
from netwright_fusion.rules.convolution import convolution_of, convolve_like
from netwright_fusion.rules.matching import has_one_user, label
from netwright_fusion.rules.matmul_chain import MARGIN
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


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
