"""Products in the cheaper order."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.matmul_chain import (
    LinearOfLinear,
    MatmulChain,
    PointwiseOfConvolution,
    ProductBesideOthers,
    ProductPlusOthers,
)


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


@settings(max_examples=12, deadline=None)
@given(first=st.booleans(), batch=st.booleans(), biased=st.booleans(), third=st.booleans())
def test_neighbours_beside_a_node_itself(check, first, batch, biased, third):
    a, x = torch.randn(*((2,) if batch else ()), 60, 60).double(), torch.randn(2, 60, 80).double()
    parameters = {"w": torch.randn(3, 240 if third else 160).double()}
    parameters |= {"b": torch.randn(3).double()} if biased else {}

    def function(a, x, w, b=None):
        parts = [x, a @ x] if first else [a @ x, x]
        return F.linear(torch.cat([*parts, x.cos()] if third else parts, -1), w, b)

    _, applied = check(ProductBesideOthers(), function, [a, x], times=1, **parameters)
    assert applied[0].flops_removed > 0


@settings(max_examples=12, deadline=None)
@given(first=st.booleans(), minus=st.booleans(), batch=st.booleans(), biased=st.booleans())
def test_neighbours_added_to_a_node_itself(check, first, minus, batch, biased):
    a, x = torch.randn(*((2,) if batch else ()), 90, 90).double(), torch.randn(2, 90, 80).double()
    parameters = {"w": torch.randn(3, 80).double()} | ({"b": torch.randn(3).double()} if biased else {})

    def function(a, x, w, b=None):
        one, other = (a @ x, x.cos()) if first else (x.cos(), a @ x)
        return F.linear(one - other if minus else one + other, w, b)

    _, applied = check(ProductPlusOthers(), function, [a, x], times=1, **parameters)
    assert applied[0].flops_removed > 0


def test_leaves_other_sums_alone(check):
    a, x, w = torch.randn(90, 90).double(), torch.randn(90, 80).double(), torch.randn(3, 80).double()
    for function in (
        lambda a, x, w: F.linear(x + (a @ x).relu(), w),
        lambda a, x, w: F.linear(x + (y := a @ x), w).sum() + y,
        lambda a, x, w: F.linear(y := x + a @ x, w).sum() + y,
        lambda a, x, w: F.linear(x[:1] + a @ x, w),
        lambda a, x, w: F.linear(torch.add(x, a @ x, alpha=2), w),
        lambda a, x, w: F.linear(x + a @ x, w.repeat(40, 1)),
    ):
        check(ProductPlusOthers(), function, [a, x], times=0, w=w)


def test_leaves_other_concatenations_alone(check):
    a, x, w = torch.randn(60, 60).double(), torch.randn(60, 80).double(), torch.randn(3, 160).double()
    for function in (
        lambda a, x, w: F.linear(torch.cat([x, (a @ x).relu()], 1), w),
        lambda a, x, w: F.linear(torch.cat([x, y := a @ x], 1), w).sum() + y,
        lambda a, x, w: F.linear(torch.cat([x[:, :20], a @ x[:, :60], x], 1), w.repeat(40, 1)),
        lambda a, x, w: F.linear(torch.cat([x, a @ x], 0), w[:, :80]),
    ):
        check(ProductBesideOthers(), function, [a, x], times=0, w=w)


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


@settings(max_examples=6, deadline=None)
@given(first=st.booleans(), second=st.booleans())
def test_linear_of_linear(check, first, second):
    parameters = {"w": torch.randn(9, 3).double(), "v": torch.randn(2, 9).double()}
    parameters |= {"b": torch.randn(9).double()} if first else {}
    parameters |= {"c": torch.randn(2).double()} if second else {}
    x = torch.randn(4, 3).double()
    check(
        LinearOfLinear(), lambda x, w, v, b=None, c=None: F.linear(F.linear(x, w, b), v, c), [x], times=1, **parameters
    )


def test_leaves_bottlenecks_and_activations_alone(check):
    x, w, v = torch.randn(4, 9).double(), torch.randn(2, 9).double(), torch.randn(9, 2).double()
    check(LinearOfLinear(), lambda x, w, v: F.linear(F.linear(x, w), v), [x], times=0, w=w, v=v)
    x = torch.randn(4, 2).double()
    check(LinearOfLinear(), lambda x, w, v: F.linear(F.linear(x, v).relu(), w), [x], times=0, w=w, v=v)


@settings(max_examples=6, deadline=None)
@given(transposed=st.booleans(), first=st.booleans(), second=st.booleans())
def test_pointwise_of_convolution(check, transposed, first, second):
    parameters = {
        "w": torch.randn(*((3, 9) if transposed else (9, 3)), 3, 3).double(),
        "v": torch.randn(2, 9, 1, 1).double(),
    }
    parameters |= {"b": torch.randn(9).double()} if first else {}
    parameters |= {"c": torch.randn(2).double()} if second else {}
    x, convolve = torch.randn(2, 3, 6, 6).double(), F.conv_transpose2d if transposed else F.conv2d

    def function(x, w, v, b=None, c=None):
        return F.conv2d(convolve(x, w, b, stride=2, padding=1), v, c)

    check(PointwiseOfConvolution(), function, [x], times=1, **parameters)


def test_leaves_separable_convolutions_alone(check):
    x, w, v = torch.randn(2, 4, 6, 6).double(), torch.randn(4, 1, 3, 3).double(), torch.randn(8, 4, 1, 1).double()
    check(PointwiseOfConvolution(), lambda x, w, v: F.conv2d(F.conv2d(x, w, groups=4), v), [x], times=0, w=w, v=v)
    w = torch.randn(4, 4, 3, 3).double()
    check(PointwiseOfConvolution(), lambda x, w, v: F.conv2d(F.conv2d(x, w), v), [x], times=0, w=w, v=v)
    check(PointwiseOfConvolution(), lambda x, w, v: F.conv2d(F.conv2d(x, w), v, padding=1), [x], times=0, w=w, v=v)
