"""Cosine similarities of pairs of rows."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.cosine_similarity import PairwiseCosine

PAIRS = {
    "views": lambda x, y: (x[:, :, None], y[:, None], -1),
    "other way": lambda x, y: (y[:, None], x[:, :, None], 3),
    "columns first": lambda x, y: (x[:, None], y[:, :, None], -1),
    "expanded": lambda x, y: (
        x.unsqueeze(2).expand(-1, -1, y.shape[1], -1),
        y.unsqueeze(1).expand(-1, x.shape[1], -1, -1),
        -1,
    ),
    "table": lambda x, y: (x.unsqueeze(2), y[0], -1),
    "batches of pairs": lambda x, y: (x[:, None, :, None], y[None, :, None], -1),
    "rows along dimension 2": lambda x, y: (x.mT[..., None], y.mT[:, :, None], 1),
    "one row": lambda x, y: (x, y[:, :1], -1),
    "one vector": lambda x, y: (x, y[0, 0], 2),
}


@settings(max_examples=25, deadline=None)
@given(
    pairs=st.sampled_from(sorted(PAIRS)),
    sizes=st.tuples(*[st.integers(2, 5)] * 4),
    eps=st.sampled_from([1e-8, 0.5, 10.0]),
    zero=st.booleans(),
)
def test_pairs(check, pairs, sizes, eps, zero):
    batch, rows, columns, width = sizes
    x, y = torch.randn(batch, rows, width).double(), torch.randn(batch, columns, width).double()
    if zero:
        x[0, 0], y[0, -1] = 0, 0

    def function(x, y):
        one, other, dim = PAIRS[pairs](x, y)
        return F.cosine_similarity(one, other, dim=dim, eps=eps)

    check(PairwiseCosine(), function, [x, y], times=1)


@pytest.mark.parametrize("special", [float("inf"), -float("inf"), float("nan"), 1e200, 1e-200])
def test_special_values_go_as_far_as_they_did(sketch, special):
    x, y = torch.randn(4, 3).double(), torch.randn(5, 3).double()
    x[1, 1], y[2, 0], y[4] = special, special, special
    graph = sketch(lambda x, y: F.cosine_similarity(x[:, None], y[None], dim=-1), {}, [x, y])
    assert apply_rules(graph, [PairwiseCosine()], training=False)
    expected = F.cosine_similarity(x[:, None], y[None], dim=-1)
    torch.testing.assert_close(graph(x, y), expected, rtol=1e-12, atol=1e-12, equal_nan=True)


def test_leaves_others_alone(check):
    x, y = torch.randn(4, 4, 4).double(), torch.randn(4, 4, 4).double()
    check(PairwiseCosine(), lambda x, y: F.cosine_similarity(x, y, dim=-1), [x, y], times=0)
    check(PairwiseCosine(), lambda x, y: F.cosine_similarity(x[:, None], y[None], dim=1), [x, y], times=0)
    check(PairwiseCosine(), lambda x, y: F.cosine_similarity(x[:, :, :1], y, dim=2), [x, y], times=0)
    check(PairwiseCosine(), lambda x, y: F.cosine_similarity(x.float()[:, None], y[None], dim=-1), [x, y], times=0)
