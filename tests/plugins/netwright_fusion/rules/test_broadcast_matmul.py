"""Products with matrices that are repeated."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright_fusion.rules.broadcast_matmul import BroadcastMatmul

BATCHES = [
    ((7, 3), (3,)),
    ((7, 1), (3,)),
    ((7, 3), (1, 3)),
    ((7, 2, 3), (3,)),
    ((7, 2, 3), (2, 1)),
    ((7, 2, 3), (1, 2, 1)),
    ((2, 7), (2, 1)),
]


@settings(max_examples=25, deadline=None)
@given(batches=st.sampled_from(BATCHES), rows=st.integers(1, 2), inner=st.integers(6, 9), mirrored=st.booleans())
def test_repeated_matrices(check, batches, rows, inner, mirrored):
    x = torch.randn(*batches[0], rows, inner).double()
    w = torch.randn(*batches[1], inner, 9).double()

    def function(x, w):
        return w.mT @ x.mT if mirrored else x @ w

    graph, _ = check(BroadcastMatmul(), function, [x, w], times=1)
    assert graph(x, w).is_contiguous()


def test_leaves_others_alone(check):
    x, w = torch.randn(7, 3, 2, 6).double(), torch.randn(3, 6, 8).double()
    check(BroadcastMatmul(), lambda x, w: x @ w[0], [x, w], times=0)
    check(BroadcastMatmul(), lambda x, w: x[0] @ w, [x, w], times=0)
    check(BroadcastMatmul(), lambda x, w: x[:1] @ w, [x, w], times=0)
    check(BroadcastMatmul(), lambda x, w: x @ w[0, :, 0], [x, w], times=0)
    check(BroadcastMatmul(), lambda x, w: x.repeat(1, 1, 9, 1) @ w, [x, w], times=0)
