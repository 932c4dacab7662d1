"""A transposed convolution that is averaged in windows as large as its steps is a plain, small convolution."""

from dataclasses import dataclass
from math import prod

import torch
from torch import fx

from netwright_fusion.graph import call
from netwright_fusion.rules.convolution import (
    Convolution,
    Pool,
    average_pool_of,
    convolution_of,
    convolve,
    padded,
    plain_weight,
)
from netwright_fusion.rules.convolution_average_pool import averaged_kernel
from netwright_fusion.rules.matching import has_one_user, label
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class TransposedAveragePool(NodeRule):
    """Transposed convolution, then average pool with a multiple of its stride: a plain convolution of its input.

    In one dimension yₒ = Σᵢ x[i] W[o + p - s i] and zⱼ = 1/P Σ_q y[t j + q] = Σᵢ x[i] V[t j + p - s i] with
    V[m] = 1/P Σ_q W[m + q], -P < m < K. With t = s u and i = u j + r, zⱼ = Σ_r x[u j + r] V[p - s r]: a convolution
    of stride u with those of V's elements that are p modulo s, from the last to the first. Neither the larger image nor
    its average is ever made. Special values: V[m] has at least one term, and x[i] reaches zⱼ on both sides if some
    element of the window does.
    """

    name = "transposed convolution to average pool"
    reason = "Averaging a transposed convolution in windows of its stride is a plain convolution at the input's size."
    keeps_nan = False

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """An average pool of a transposed convolution that nobody else needs, where fewer products remain."""
        pool = average_pool_of(node)
        conv = convolution_of(pool.source) if pool and has_one_user(pool.source) else None
        if pool is None or conv is None or not conv.transposed or not pool.is_plain or pool.spatial != conv.spatial:
            return None
        if set(conv.dilation) != {1} or any(t % s for t, s in zip(pool.stride, conv.stride, strict=True)):
            return None
        dims = [_Dimension.of(conv, pool, index) for index in range(conv.spatial)]
        if any(dim.last < dim.first for dim in dims) or prod(dim.size * dim.out for dim in dims) >= conv.products:
            return None
        return Rewrite(
            f"{label(pool.source)} -> average pool in one plain convolution",
            (pool.source, node),
            lambda graph: _build(graph, conv, pool, dims),
        )


@dataclass(frozen=True)
class _Dimension:
    """One spatial dimension of the plain convolution: x[u j + r] for first ≤ r ≤ last, 0 ≤ j < out.

    Attributes:
        start: The element of V that `last` takes; the others follow in steps of `step`.
        before, after: Zeros to add on either side of x; negative to cut it.
    """

    first: int
    last: int
    out: int
    step: int
    stride: int
    start: int
    before: int
    after: int

    @property
    def size(self) -> int:
        """How many elements the kernel has."""
        return self.last - self.first + 1

    @staticmethod
    def of(conv: Convolution, pool: Pool, index: int) -> "_Dimension":
        kernel, window, step = conv.kernel[index], pool.kernel[index], conv.stride[index]
        padding, stride = conv.padding[index], pool.stride[index] // step
        out = (conv.spatial_out[index] - window) // pool.stride[index] + 1
        first, last = -((kernel - 1 - padding) // step), (padding + window - 1) // step
        after = stride * (out - 1) + last - (conv.spatial_in[index] - 1)
        return _Dimension(first, last, out, step, stride, padding - step * last + window - 1, -first, after)


def _build(graph: fx.Graph, conv: Convolution, pool: Pool, dims: list[_Dimension]) -> fx.Node:
    ones = (1,) * conv.spatial
    weight = averaged_kernel(graph, plain_weight(graph, conv), pool.kernel, ones)
    for index, dim in enumerate(dims, start=2):
        end = dim.start + dim.step * (dim.size - 1) + 1
        if (dim.start, end, dim.step) != (0, int(weight.meta["val"].shape[index]), 1):
            weight = call(graph, aten.slice.Tensor, weight, index, dim.start, end, dim.step)
    weight = call(graph, aten.flip.default, weight, list(range(2, 2 + conv.spatial)))
    source, padding = conv.source, tuple(dim.before for dim in dims)
    if any(dim.before != dim.after or dim.before < 0 for dim in dims):
        source, padding = padded(graph, source, [(dim.before, dim.after) for dim in dims]), (0,) * conv.spatial
    return convolve(
        graph, source, weight, conv.bias, stride=tuple(dim.stride for dim in dims), padding=padding, groups=conv.groups
    )
