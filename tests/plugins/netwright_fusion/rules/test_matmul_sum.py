"""Matrix products that are summed or averaged."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright_fusion.rules.matmul_sum import MatmulSum


@settings(max_examples=10, deadline=None)
@given(
    sizes=st.tuples(*[st.integers(2, 4)] * 4),
    dims=st.sampled_from([(-1,), (-2,), (1, 2), (0, 2), (0, 1, 2)]),
    keepdim=st.booleans(),
    mean=st.booleans(),
    form=st.sampled_from(["bmm", "matmul", "shared"]),
)
def test_sums_of_products(check, sizes, dims, keepdim, mean, form):
    batch, rows, inner, columns = sizes
    reduce = torch.mean if mean else torch.sum
    a = torch.randn(batch, rows, inner).double()
    b = torch.randn(*(() if form == "shared" else (batch,)), inner, columns).double()
    product = torch.bmm if form == "bmm" else torch.matmul
    check(MatmulSum(), lambda a, b: reduce(product(a, b), dims, keepdim=keepdim), [a, b])


def test_leaves_batches_and_vectors_alone(check):
    a, b, vector = torch.randn(2, 3, 4).double(), torch.randn(2, 4, 5).double(), torch.randn(4).double()
    check(MatmulSum(), lambda a, b: torch.bmm(a, b).sum(0), [a, b], times=0)
    check(MatmulSum(), lambda a, v: (a @ v).sum(1), [a, vector], times=0)
