"""A scale or shift of clamped outputs of a layer can be made in the layer's weights, and in the bounds."""

from collections.abc import Callable
from math import inf

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call
from netwright_fusion.rules.affine import Affine, affine_of
from netwright_fusion.rules.affine_into_weights import channel_dim, with_affine
from netwright_fusion.rules.matching import has_one_user, label, source
from netwright_fusion.rules.redundant_clamp import clamp_bounds
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class AffineThroughClamp(NodeRule):
    """Layer, then ReLU, leaky ReLU or a clamp, then a factor or a shift by a number: other weights and bounds.

    s max(y, a) = max(s y, s a) and max(y, a) + t = max(y + t, a + t), likewise for minima, since both keep the order;
    a negative factor turns it round, and makes minima of maxima. Leaky ReLU has the same slopes on both sides of 0
    after any positive factor. The layer's weights take the factor, or its bias the shift, once. NaN passes through, and
    infinities meet the same bounds.
    """

    name = "scale or shift through clamp"
    reason = "What scales or shifts clamped outputs can scale or shift the layer's weights and the bounds."
    conditions = "fixed weights"

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A number times, or added to, a clamp or leaky ReLU of a layer, none of which anybody else needs."""
        affine = affine_of(node)
        if affine is None or not has_one_user(affine.source) or isinstance(affine.operand, fx.Node):
            return None
        clamp = affine.source
        bounds = clamp_bounds(clamp)
        leaky = is_call(clamp, aten.leaky_relu.default) and affine.scale is not None
        if (bounds is None and not leaky) or not has_one_user(source(clamp)) or channel_dim(source(clamp)) is None:
            return None
        if affine.scale is not None and not (affine.number or 0) > 0 and not (bounds and _turns(affine, bounds)):
            return None
        layer = source(clamp)
        return Rewrite(
            f"{label(layer)} -> takes what follows {clamp.name}", (layer, clamp, node), _building(layer, clamp, affine)
        )


def _building(layer: fx.Node, clamp: fx.Node, affine: Affine) -> Callable[[fx.Graph], fx.Node]:
    def build(graph: fx.Graph) -> fx.Node:
        changed = with_affine(graph, layer, affine)
        bounds = clamp_bounds(clamp)
        if bounds is None:
            return call(graph, aten.leaky_relu.default, changed, arguments(clamp)["negative_slope"])
        low, high = (_moved(bound, affine) for bound in (bounds[::-1] if _turns(affine, bounds) else bounds))
        if (low, high) == (0.0, inf):
            return call(graph, aten.relu.default, changed)
        return call(
            graph, aten.clamp.default, changed, *[None if abs(bound) == inf else bound for bound in (low, high)]
        )

    return build


def _turns(affine: Affine, bounds: tuple[float, float]) -> bool:
    """Whether a factor makes an upper bound of the lower one; bounds that cross would not come out the same."""
    return affine.scale is not None and (affine.number or 0) < 0 and bounds[0] <= bounds[1]


def _moved(bound: float, affine: Affine) -> float:
    """A bound after the affine operator."""
    assert not isinstance(affine.operand, fx.Node)
    if affine.scale is not None:
        return (bound / affine.operand if affine.divides else bound * affine.operand) + 0.0  # not -0.0
    return bound - affine.operand if affine.subtracts else bound + affine.operand
