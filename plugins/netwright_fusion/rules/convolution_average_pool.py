"""A convolution whose outputs are averaged in windows is one convolution with larger steps."""

from math import prod

import torch
from torch import fx

from netwright_fusion.graph import call, shape
from netwright_fusion.rules.convolution import TRANSPOSED, Convolution, Pool, average_pool_of, convolution_of, convolve
from netwright_fusion.rules.matching import has_one_user, label
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class ConvolutionAveragePool(NodeRule):
    """Convolution, then average pool: one strided convolution with a larger kernel.

    In one dimension yₒ = Σₖ Wₖ x[s o + k - p] and zⱼ = 1/P Σ_q y[t j + q] = Σ_m V_m x[s t j + m - p] with
    V_m = 1/P Σ_q W[m - s q], m < K + s (P - 1): the kernel convolved with a dilated window, at stride s t. An output j
    exists on both sides if s (t j + P - 1) + K ≤ H + 2p. Dimensions are independent. With s ≤ K every V_m has at least
    one term, so that special values reach the same outputs.
    """

    name = "convolution to average pool"
    keeps_nan = False
    reason = (
        "Averaging a convolution's outputs in windows is a convolution with an averaged kernel and a larger stride."
    )

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """An average pool of a plain convolution that nobody else needs, where fewer products remain."""
        pool = average_pool_of(node)
        conv = convolution_of(pool.source) if pool and has_one_user(pool.source) else None
        if pool is None or conv is None or conv.transposed or not pool.is_plain or pool.spatial != conv.spatial:
            return None
        if set(conv.dilation) != {1} or any(s > k for s, k in zip(conv.stride, conv.kernel, strict=True)):
            return None
        sizes = zip(conv.spatial_out, pool.kernel, pool.stride, strict=True)
        positions = prod((size - window) // step + 1 for size, window, step in sizes)
        if positions * prod(_kernel(conv, pool)) >= conv.products:
            return None
        return Rewrite(
            f"{label(pool.source)} -> average pool in one strided convolution",
            (pool.source, node),
            lambda graph: _build(graph, conv, pool),
        )


def _kernel(conv: Convolution, pool: Pool) -> tuple[int, ...]:
    return tuple(k + s * (p - 1) for k, s, p in zip(conv.kernel, conv.stride, pool.kernel, strict=True))


def _build(graph: fx.Graph, conv: Convolution, pool: Pool) -> fx.Node:
    weight = averaged_kernel(graph, conv.weight, pool.kernel, conv.stride)
    stride = tuple(s * t for s, t in zip(conv.stride, pool.stride, strict=True))
    return convolve(graph, conv.source, weight, conv.bias, stride=stride, padding=conv.padding, groups=conv.groups)


def averaged_kernel(graph: fx.Graph, weight: fx.Node, window: tuple[int, ...], step: tuple[int, ...]) -> fx.Node:
    """The mean of a kernel's copies, each shifted by one more step of the window: (…, *kernel + step · (window - 1)).

    The kernel is convolved with the window's elements set apart by the step, which is a transposed convolution of a
    window of 1 / elements with it.
    """
    outer, inner, *kernel = shape(weight)
    spatial = len(kernel)
    flat = call(graph, aten.reshape.default, weight, [1, outer * inner, *kernel])
    ones = call(graph, aten.new_full.default, weight, [1, 1, *window], 1 / prod(window))
    spread = call(graph, TRANSPOSED[spatial - 1], ones, flat, None, list(step))
    sizes = [k + s * (w - 1) for k, s, w in zip(kernel, step, window, strict=True)]
    return call(graph, aten.reshape.default, spread, [outer, inner, *sizes])
