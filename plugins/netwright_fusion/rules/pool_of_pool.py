"""Two pools of the same kind in a row are one pool."""

from math import prod

import torch
from torch import fx

from netwright_fusion.graph import call
from netwright_fusion.rules.convolution import AVERAGE_POOLS, MAX_POOLS, Pool, average_pool_of, max_pool_of
from netwright_fusion.rules.matching import has_one_user, rank
from netwright_fusion.rules.reduction import reduce, reduction_of
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class PoolOfPool(NodeRule):
    """Max-pool of max-pool, or average pool of average pool: one pool with a larger window.

    Window j of the second pool holds outputs t j … t j + Q - 1 of the first, and these hold s (Q - 1) + P inputs from
    s t j - p on: one window of P + s (Q - 1) at stride s t. For a maximum it does not matter that windows
    overlap, if they leave no gap (s ≤ P). A mean of means is one mean if each input is in exactly one of them (s = P).
    """

    name = "pool of pool"
    reason = "A pool of a pool's windows is a pool of larger windows."
    conditions = "fixed weights"

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A pool without padding of a pool of the same kind and dimensions that nobody else needs."""
        maximum = max_pool_of(node)
        outer = maximum or average_pool_of(node)
        if outer is None or not has_one_user(outer.source):
            return None
        inner = (max_pool_of if maximum else average_pool_of)(outer.source)
        if inner is None or inner.spatial != outer.spatial or not outer.is_plain or inner.ceil:
            return None
        if set(inner.dilation) != {1} or inner.divisor is not None:
            return None
        gaps = any(s > k for s, k in zip(inner.stride, inner.kernel, strict=True))
        if gaps if maximum else (any(inner.padding) or inner.stride != inner.kernel):
            return None
        kernel = _larger(inner, outer)
        if maximum and prod(kernel) > prod(inner.kernel) * 4:
            return None
        stride = [s * t for s, t in zip(inner.stride, outer.stride, strict=True)]
        operators = MAX_POOLS if maximum else AVERAGE_POOLS

        def build(graph: fx.Graph) -> fx.Node:
            return call(graph, operators[outer.spatial - 1], inner.source, kernel, stride, list(inner.padding))

        return Rewrite(f"{outer.source.name} -> one larger pool", (outer.source, node), build)


class MeanOfAverages(NodeRule):
    """Average pool or mean, then a mean over the same dimensions: one mean.

    A mean of means of equally many elements is the mean of all: of windows that cover the image and do not overlap, or
    of dimensions reduced one after the other. The same holds for sums, maxima and minima of dimensions.
    """

    name = "mean of means"
    reason = "A mean of equally large means is the mean of everything."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A reduction of a reduction of the same kind, or a mean of an average pool, that nobody else needs."""
        outer = reduction_of(node)
        if outer is None or not has_one_user(outer.source):
            return None
        pool = average_pool_of(outer.source)
        if pool is not None:
            if outer.kind != "mean" or not _tiles(pool):
                return None
            dims = rank(pool.source)
            if not set(range(dims - pool.spatial, dims)) <= set(outer.dims):
                return None
            return Rewrite(
                f"{outer.source.name} -> one mean",
                (outer.source, node),
                lambda graph: reduce(graph, "mean", pool.source, outer.dims, keepdim=outer.keepdim),
            )
        inner = reduction_of(outer.source)
        if inner is None or inner.kind != outer.kind or not (inner.keepdim or not outer.keepdim):
            return None
        if inner.keepdim and not outer.keepdim and set(inner.dims) - set(outer.dims):
            return None
        every = range(rank(inner.source))
        left = every if inner.keepdim else [dim for dim in every if dim not in inner.dims]
        both = tuple(sorted({*inner.dims, *(left[dim] for dim in outer.dims)}))
        return Rewrite(
            f"{outer.source.name} -> one {outer.kind}",
            (outer.source, node),
            lambda graph: reduce(graph, outer.kind, inner.source, both, keepdim=outer.keepdim),
        )


def _larger(inner: Pool, outer: Pool) -> list[int]:
    return [p + s * (q - 1) for p, s, q in zip(inner.kernel, inner.stride, outer.kernel, strict=True)]


def _tiles(pool: Pool) -> bool:
    """Whether the pool's windows cover all of its input once."""
    sizes = pool.source.meta["val"].shape[-pool.spatial :]
    whole = all(isinstance(size, int) and size % step == 0 for size, step in zip(sizes, pool.kernel, strict=True))
    return pool.is_plain and pool.stride == pool.kernel and whole
