"""A linear layer whose outputs are averaged in windows needs one output per window only."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call, shape
from netwright_fusion.rules.affine_into_weights import channel_dim
from netwright_fusion.rules.convolution import average_pool_of
from netwright_fusion.rules.matching import has_one_user, label, positive, rank, source
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class LinearAveragePool(NodeRule):
    """Linear, then average pool over its outputs: a linear layer with pooled weights.

    A pool takes fixed means of outputs, zⱼ = Σₒ Pⱼₒ yₒ, and P (W x + b) = (P W) x + P b: the pool of the rows of W and
    of b, whatever its window, stride and padding. There are as many products as windows instead of outputs. Special
    values in x reach every output on both sides.
    """

    name = "linear to average pool"
    reason = "Averaging a linear layer's outputs in windows is a linear layer with averaged weights."
    conditions = "fixed weights"
    keeps_nan = False

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A 1-D average pool over the outputs of a linear layer that nobody else needs, perhaps unsqueezed."""
        pool = average_pool_of(node)
        if pool is None or pool.spatial != 1 or not has_one_user(pool.source):
            return None
        view = pool.source if is_call(pool.source, aten.unsqueeze.default) else None
        linear = source(view) if view else pool.source
        if not has_one_user(linear) or not is_call(linear, aten.linear.default) or channel_dim(linear) is None:
            return None
        if view and positive(arguments(view)["dim"], rank(view)) == rank(view) - 1:
            return None
        if shape(node)[-1] >= shape(pool.source)[-1]:
            return None

        def build(graph: fx.Graph) -> fx.Node:
            given, rest = arguments(linear), list(arguments(node).values())[1:]
            rows = call(graph, aten.avg_pool1d.default, call(graph, aten.t.default, given["weight"]), *rest)
            bias = given["bias"]
            if bias is not None:
                bias = call(graph, aten.avg_pool1d.default, call(graph, aten.unsqueeze.default, bias, 0), *rest)
                bias = call(graph, aten.squeeze.dim, bias, 0)
            small = call(graph, aten.linear.default, given["input"], call(graph, aten.t.default, rows), bias)
            return call(graph, aten.unsqueeze.default, small, view.args[1]) if view else small

        nodes = (linear, view, node) if view else (linear, node)
        return Rewrite(f"{label(linear)} -> pooled weights", nodes, build)
