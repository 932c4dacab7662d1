"""An increasing function before a maximum can be applied to the maximum."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call, shape
from netwright_fusion.rules.affine import affine_of, scaled
from netwright_fusion.rules.convolution import max_pool_of
from netwright_fusion.rules.matching import has_one_user, rank, same_sizes
from netwright_fusion.rules.reduction import reduce, reduction_of
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
INCREASING = (
    aten.relu.default,
    aten.relu6.default,
    aten.sigmoid.default,
    aten.tanh.default,
    aten.hardtanh.default,
    aten.hardsigmoid.default,
    aten.softplus.default,
    aten.log_sigmoid.default,
    aten.selu.default,
    aten.exp.default,
    aten.expm1.default,
    aten.atan.default,
    aten.erf.default,
)


class MonotoneAfterMaxPool(NodeRule):
    """An increasing function, then max-pool or maximum (minimum): the maximum first.

    f(max xᵢ) = max f(xᵢ) for every f that keeps the order, such as ReLU, sigmoid, tanh, clamps, or x · s + t with
    s > 0. f is then computed for fewer elements. Every window holds an element of the image, so that padding, which
    counts as minus infinity on both sides, never wins. Maxima and these functions hand NaN on; f of infinity is the
    limit on both sides.
    """

    name = "increasing function after maximum"
    reason = "What keeps the order can be done to the maximum alone."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A max-pool or an extremum of an increasing function that nobody else needs."""
        pool, found = max_pool_of(node), reduction_of(node)
        if pool is not None and set(pool.dilation) == {1}:
            function = pool.source
        elif found is not None and not found.is_linear:
            function = found.source
        else:
            return None
        if not has_one_user(function) or same_sizes(function, node):
            return None
        affine = affine_of(function) if pool else None
        if affine is not None:
            if pool is None or not _is_per_channel(affine.operand, rank(node), pool.spatial):
                return None
            if affine.scale is not None and not (affine.number or 0) > 0:
                return None
        elif not is_increasing(function):
            return None

        def build(graph: fx.Graph) -> fx.Node:
            argument = affine.source if affine else next(iter(arguments(function).values()))
            if pool:
                most = call(graph, node.target, argument, *list(arguments(node).values())[1:])  # type: ignore[arg-type]
            else:
                assert found is not None
                most = reduce(graph, found.kind, argument, found.dims, keepdim=found.keepdim)
            if affine:
                return scaled(graph, most, affine)
            return call(graph, function.target, most, *list(arguments(function).values())[1:])  # type: ignore[arg-type]

        return Rewrite(f"{function.name} -> after {node.name}", (function, node), build)


def is_increasing(node: fx.Node) -> bool:
    """Whether a pointwise call with fixed numbers keeps the order of its inputs."""
    if is_call(node, *INCREASING):
        return True
    given = arguments(node) if hasattr(node.target, "_schema") else {}
    if is_call(node, aten.clamp.default, aten.clamp_min.default, aten.clamp_max.default):
        return not any(isinstance(value, fx.Node) for value in list(given.values())[1:])
    if is_call(node, aten.leaky_relu.default):
        return bool(given["negative_slope"] >= 0)
    if is_call(node, aten.elu.default):
        return bool(given["alpha"] >= 0 and given["scale"] > 0 and given["input_scale"] > 0)
    return is_call(node, aten.celu.default) and bool(given["alpha"] > 0)


def _is_per_channel(operand: float | fx.Node, dims: int, spatial: int) -> bool:
    """Whether an operand is the same at all positions."""
    if not isinstance(operand, fx.Node):
        return True
    sizes = shape(operand)
    return len(sizes) <= dims and set(sizes[max(0, len(sizes) - spatial) :]) <= {1}
