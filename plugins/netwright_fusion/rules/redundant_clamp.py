"""Clamps and activations that change nothing, because of their input's range, and those in a row."""

from math import inf

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, dtype, is_call
from netwright_fusion.rules.matching import has_one_user, may_stand_for, source
from netwright_fusion.rules.ranges import range_of
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
CLAMPS = (
    aten.clamp.default,
    aten.clamp_min.default,
    aten.clamp_max.default,
    aten.hardtanh.default,
    aten.relu.default,
    aten.relu6.default,
)
LINEAR_ABOVE_ZERO = (aten.abs.default, aten.leaky_relu.default, aten.celu.default, aten.prelu.default)


class RedundantClamp(NodeRule):
    """A clamp, ReLU or the like of values that lie in its range anyway: nothing.

    After a sigmoid or softmax values lie in [0, 1], after tanh in [-1, 1], after ReLU in [0, ∞), and so on; sums,
    products with numbers, means, maxima and views keep such bounds. Where the bounds lie within the clamp's, it is the
    identity; NaN passes through both.
    """

    name = "redundant clamp or activation"
    reason = "The values lie in that range already."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A clamp or activation that is the identity on the range of its input."""
        bounds = identity_range(node)
        if bounds is None:
            return None
        clamped = source(node)
        low, high = range_of(clamped)
        if low < bounds[0] or high > bounds[1] or not may_stand_for(clamped, node):
            return None
        return Rewrite(f"{node.name} -> nothing after {clamped.name}", (clamped, node), lambda _: clamped)


class ClampOfClamp(NodeRule):
    """A clamp of a clamp: one clamp.

    min(max(min(max(x, a), b), c), d) with a ≤ b and c ≤ d is x clamped between a and b, both themselves clamped between
    c and d: outside [a, b] the inner clamp is constant, inside it does nothing.
    """

    name = "clamp of clamp"
    reason = "A clamp of a clamp has two bounds, like any clamp."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A clamp by numbers of another one that nobody else needs."""
        outer = clamp_bounds(node)
        if outer is None or not dtype(node).is_floating_point or not has_one_user(source(node)):
            return None
        inner = clamp_bounds(source(node))
        if inner is None or inner[0] > inner[1] or outer[0] > outer[1]:
            return None
        low, high = (min(max(bound, outer[0]), outer[1]) for bound in inner)
        innermost = source(source(node))

        def build(graph: fx.Graph) -> fx.Node:
            if (low, high) == (0, inf):
                return call(graph, aten.relu.default, innermost)
            bounds = [None if abs(bound) == inf else bound for bound in (low, high)]
            return call(graph, aten.clamp.default, innermost, *bounds)

        return Rewrite(f"{source(node).name} and {node.name} -> one clamp", (source(node), node), build)


class LeakyOfLeaky(NodeRule):
    """A ReLU or leaky ReLU of a leaky ReLU with a positive slope: one of the same kind.

    The inner one keeps the sign, so that the outer one multiplies what is negative with its own slope as well, or makes
    it 0. NaN stays NaN, and infinities keep their signs.
    """

    name = "rectifier of leaky rectifier"
    reason = "The inner activation keeps the sign, which is all that the outer one asks for."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A rectifier of a leaky one that nobody else needs."""
        if not is_call(node, aten.relu.default, aten.leaky_relu.default) or not has_one_user(source(node)):
            return None
        inner = source(node)
        slope = arguments(inner)["negative_slope"] if is_call(inner, aten.leaky_relu.default) else 0
        if slope <= 0 or arguments(node).get("negative_slope", 1) == 0:
            return None

        def build(graph: fx.Graph) -> fx.Node:
            if is_call(node, aten.relu.default):
                return call(graph, aten.relu.default, source(inner))
            both = slope * arguments(node)["negative_slope"]
            return call(graph, aten.leaky_relu.default, source(inner), both)

        return Rewrite(f"{inner.name} and {node.name} -> one rectifier", (inner, node), build)


def identity_range(node: fx.Node) -> tuple[float, float] | None:
    """Where a call is the identity, or None."""
    if is_call(node, *LINEAR_ABOVE_ZERO):
        return 0.0, inf
    if is_call(node, aten.elu.default):
        given = arguments(node)
        return (0.0, inf) if given["scale"] == given["input_scale"] == 1 else None
    return clamp_bounds(node)


def clamp_bounds(node: fx.Node) -> tuple[float, float] | None:
    """The bounds of a clamp by numbers, or None where the node is none."""
    if not isinstance(node, fx.Node) or not is_call(node, *CLAMPS):
        return None
    if is_call(node, aten.relu.default):
        return 0.0, inf
    if is_call(node, aten.relu6.default):
        return 0.0, 6.0
    given = arguments(node)
    low, high = given.get("min", given.get("min_val")), given.get("max", given.get("max_val"))
    if isinstance(low, fx.Node) or isinstance(high, fx.Node):
        return None
    return (-inf if low is None else float(low)), (inf if high is None else float(high))
