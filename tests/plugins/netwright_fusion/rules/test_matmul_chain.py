"""Products in the cheaper order."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.matmul_chain import MatmulChain


@settings(max_examples=10, deadline=None)
@given(batch=st.booleans(), sizes=st.tuples(*[st.sampled_from([1, 2, 5, 9])] * 4), left=st.booleans())
def test_chains(check, batch, sizes, left):
    m, k, n, p = sizes
    front = (2,) if batch else ()
    a, b, c = (torch.randn(*front, *shape).double() for shape in ((m, k), (k, n), (n, p)))
    first, second = m * n * (k + p), k * p * (n + m)
    given_cost, other = (first, second) if left else (second, first)
    times = 1 if other * 1.2 <= given_cost else 0
    check(MatmulChain(), lambda a, b, c: (a @ b) @ c if left else a @ (b @ c), [a, b, c], times=times)


@settings(max_examples=20, deadline=None)
@given(
    batches=st.sampled_from([((), ()), ((2,), (2,)), ((), (3,)), ((3,), ())]),
    sizes=st.tuples(*[st.sampled_from([2, 5, 9])] * 4),
    biased=st.booleans(),
    nodes_first=st.booleans(),
)
def test_graph_convolutions(check, batches, sizes, biased, nodes_first):
    m, k, n, p = sizes
    front, behind = batches
    a, x = torch.randn(*front, m, k).double(), torch.randn(*behind, k, n).double()
    parameters = {"w": torch.randn(p, n).double()} | ({"bias": torch.randn(p).double()} if biased else {})
    count, rows, mixing = max([1, *front, *behind]), max([1, *behind]), max([1, *front, *behind])
    channels_first = rows * k * n * p + count * m * k * p
    mixing_first = mixing * m * k * n + count * m * n * p
    here, there = (mixing_first, channels_first) if nodes_first else (channels_first, mixing_first)
    times = 0 if biased else int(there * 1.2 <= here)

    def function(a, x, w, bias=None):
        return F.linear(a @ x, w, bias) if nodes_first else a @ F.linear(x, w, bias)

    check(MatmulChain(), function, [a, x], times=times, **parameters)


def test_biases_of_graph_convolutions(check):
    a, x, b = torch.randn(2, 300, 300).double(), torch.randn(2, 300, 3).double(), torch.randn(80).double()
    parameters = {"w": torch.randn(80, 3).double(), "bias": b}
    check(MatmulChain(), lambda a, x, w, bias: torch.bmm(a, F.linear(x, w, bias)), [a, x], times=1, **parameters)
    check(MatmulChain(), lambda x, a, w, bias: a @ F.linear(x, w, bias), [x], times=1, a=a[0], **parameters)
    x = torch.randn(2, 300, 80).double()
    parameters = {"w": torch.randn(3, 80).double(), "bias": b[:3]}
    check(MatmulChain(), lambda a, x, w, bias: F.linear(torch.bmm(a, x), w, bias), [a, x], times=1, **parameters)
    check(MatmulChain(), lambda a, x, w, bias: F.linear((a @ x).relu(), w, bias), [a, x], times=0, **parameters)


@pytest.mark.parametrize("dim", [-1, 1])
def test_biases_of_attention(check, dim):
    a, x, b = torch.randn(2, 20, 20).double(), torch.randn(2, 20, 3).double(), torch.randn(9).double()
    graph, applied = check(
        MatmulChain(),
        lambda a, x, w, b: a.softmax(dim) @ F.linear(x, w, b),
        [a, x],
        times=int(dim == -1),
        w=torch.randn(9, 3).double(),
        b=b,
    )
    assert not applied or len(graph.graph.find_nodes(op="call_function", target=torch.ops.aten.linear.default)) == 1


def test_chains_with_linear_layers(check):
    x, y, w = torch.randn(9, 2).double(), torch.randn(9, 2).double(), torch.randn(9, 2).double()
    check(MatmulChain(), lambda x, y, w: F.linear(x, w) @ y, [x, y], times=1, w=w)
    check(MatmulChain(), lambda x, y, w: (F.linear(x, w) / 3) @ y, [x, y], times=1, w=w)
    check(MatmulChain(), lambda x, y, w: F.linear(x, w, w[:, 0]) @ y, [x, y], times=0, w=w)
    check(MatmulChain(), lambda x, w: F.linear(F.linear(x, w), w.t()), [x], times=0, w=w)
    check(MatmulChain(), lambda x, y, w: F.linear(x @ y.t(), w.t().contiguous()), [x, y], times=1, w=w)


def test_attention_without_softmax(check):
    q, k, v = (torch.randn(2, 16, 3).double() for _ in range(3))
    for function in (lambda q, k, v: (q @ k.transpose(1, 2)) @ v, lambda q, k, v: (q @ k.transpose(1, 2) / 8) @ v):
        _, applied = check(MatmulChain(), function, [q, k, v], times=1)
        assert applied[0].flops_removed > 0
    check(MatmulChain(), lambda q, k, v: torch.softmax(q @ k.transpose(1, 2), 2) @ v, [q, k, v], times=0)
