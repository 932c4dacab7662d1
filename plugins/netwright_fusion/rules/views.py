"""Views that only count elements in another way: one in place of two, and none around linear layers."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call, shape
from netwright_fusion.rules.matching import has_one_user, known, label, rank, source
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
VIEWS = (aten.view.default, aten.reshape.default, aten._unsafe_view.default)
MERGING = (*VIEWS, aten.flatten.using_ints)


class ViewOfView(NodeRule):
    """Two views in a row that keep all elements in their order: one.

    Both only say how the same elements are counted; the second says all that the first did.
    """

    name = "view of view"
    reason = "A view of a view is a view."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A view of one that nobody else needs."""
        if not is_call(node, *VIEWS) or not has_one_user(node.args[0]) or not is_call(node.args[0], *MERGING):
            return None
        inner = source(node)
        return Rewrite(
            f"{inner.name} and {node.name} -> one view",
            (inner, node),
            lambda graph: call(graph, aten.reshape.default, source(inner), node.args[1]),
        )


class LinearOfMergedRows(NodeRule):
    """Dimensions merged, then linear, then a view that divides the rows again: linear of rows that are divided already.

    A linear layer does the same with each row, wherever it stands. Sums over tokens, and picks of one, then meet the
    layer itself, and other rules can take them before it.
    """

    name = "linear of merged rows"
    reason = "A linear layer takes rows as they are; they need not be merged for it, nor divided after it."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A view that keeps the last dimension, of a linear layer of a view that nobody else needs."""
        if not is_call(node, *VIEWS) or not has_one_user(node.args[0]):
            return None
        if not is_call(node.args[0], aten.linear.default):
            return None
        linear, sizes = source(node), list(node.args[1])  # type: ignore[arg-type]
        given, outputs = arguments(linear), shape(node)[-1]
        if rank(given["weight"]) != 2 or not is_call(given["input"], *MERGING) or rank(node) < 2:
            return None
        if not known(outputs) or outputs != shape(linear)[-1] or rank(node) <= rank(linear):
            return None

        def build(graph: fx.Graph) -> fx.Node:
            rows = call(graph, aten.reshape.default, given["input"], [*sizes[:-1], shape(given["weight"])[1]])
            return call(graph, aten.linear.default, rows, given["weight"], given["bias"])

        return Rewrite(f"{label(linear)} -> of rows that stay divided", (linear, node), build)
