"""Picking some elements of a dimension before they are computed leaves the others uncomputed."""

from dataclasses import replace

import torch
from torch import fx

from netwright_fusion.graph import call, is_call, is_impure
from netwright_fusion.rules.matching import size_of, source
from netwright_fusion.rules.picks import Pick, pick_of, picked_inside
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
        """The first slice, or selection of one element, of something that nobody needs more of than a part."""
        if pick_of(node) is None or source(node).op != "call_function" or is_impure(source(node)):
            return None
        whole = source(node)
        picks = {user: pick_of(user) for user in whole.users}
        hull = _hull(list(picks.values()))
        if hull is None or any(user < node for user in picks) or hull.count == size_of(whole, hull.dim):
            return None
        inside = picked_inside(whole, hull)
        if inside is None:
            return None

        def build(graph: fx.Graph) -> fx.Node:
            part = inside(graph)
            for user in picks:
                if user is not node:
                    user.replace_all_uses_with(_of_part(graph, user, part, hull))
            return _of_part(graph, node, part, hull)

        return Rewrite(f"{whole.name} -> only what is picked", (whole, node), build)


def _hull(picks: list[Pick | None]) -> Pick | None:
    """What a few picks of one dimension need together; None where one is no pick, or of another dimension."""
    found = [pick for pick in picks if pick is not None]
    if len(found) < len(picks) or len({pick.dim for pick in found}) != 1:
        return None
    if len(set(found)) == 1:
        return found[0]
    start, end = min(pick.start for pick in found), max(pick.end for pick in found)
    return Pick(found[0].dim, start, end - start) if {pick.step for pick in found} == {1} else None


def _of_part(graph: fx.Graph, user: fx.Node, part: fx.Node, hull: Pick) -> fx.Node:
    """A pick of the whole, taken of the part of it that was computed."""
    pick = pick_of(user)
    assert pick is not None
    if is_call(user, aten.select.int):
        return call(graph, aten.select.int, part, pick.dim, pick.start - hull.start)
    return part if pick == hull else replace(pick, start=pick.start - hull.start).of(graph, part)
