"""Picking some elements of a dimension before they are computed leaves the others uncomputed."""

import torch
from torch import fx

from netwright_fusion.graph import call, is_call, is_impure
from netwright_fusion.rules.matching import source
from netwright_fusion.rules.picks import is_partial, pick_of, picked_inside
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class PickEarlier(NodeRule):
    """A slice or selection of what was computed row by row, or from neighbours: computed from the rows concerned.

    What works element by element, and norms, softmaxes and matrix products along other dimensions, make each row of
    their result of the same row of their inputs; an attention's query asks for itself alone; a convolution's output
    needs the few inputs under its kernel. Of the last token, the class token or the last step of a network, all that
    only served the others goes. Special values in what is left out had no effect before, either.
    """

    name = "picked before computed"
    reason = "What nobody reads need not be computed."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A slice, or a selection of one element, of something that nobody needs more of."""
        pick = pick_of(node)
        if pick is None or not is_partial(node) or source(node).op != "call_function":
            return None
        whole = source(node)
        twins = [user for user in whole.users if user is not node]
        if any(user.target is not node.target or pick_of(user) != pick or user < node for user in twins):
            return None
        inside = None if is_impure(whole) else picked_inside(whole, pick)
        if inside is None:
            return None

        def build(graph: fx.Graph) -> fx.Node:
            part = inside(graph)
            part = call(graph, aten.select.int, part, pick.dim, 0) if is_call(node, aten.select.int) else part
            for twin in twins:
                twin.replace_all_uses_with(part)
            return part

        return Rewrite(f"{whole.name} -> only what is picked", (whole, node), build)
