"""Dot products of pairs of vectors."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.dot_products import DotProducts


@settings(max_examples=20, deadline=None)
@given(data=st.data(), letters=st.sampled_from(["ab", "abc", "abcd"]))
def test_einsums(check, data, letters):
    first, second, output = ("".join(data.draw(st.permutations(letters))) for _ in range(3))
    output = output[: data.draw(st.integers(1, len(letters) - 1))]
    sizes = {letter: 2 + index for index, letter in enumerate(letters)}
    x, y = (torch.randn([sizes[letter] for letter in term]).double() for term in (first, second))
    check(DotProducts(), lambda x, y: torch.einsum(f"{first}, {second} -> {output}", x, y), [x, y], times=1)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: torch.bmm(x[:, :1], y[:, :1].mT).squeeze(),
        lambda x, y: x.unsqueeze(2) @ y.unsqueeze(-1),
        lambda x, y: torch.matmul(x.unsqueeze(2), y.mT.contiguous().mT.unsqueeze(3)).flatten(1),
    ],
)
def test_products(check, function):
    check(DotProducts(), function, [torch.randn(3, 4, 5).double(), torch.randn(3, 4, 5).double()], times=1)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: x @ y,
        lambda x, y: x[0, :1] @ y[0, :, :1],
        lambda x, y: x[:, :1] @ y[0, :, :1],
        lambda x, y: x[:, None, :1] @ y[:, :, :1],
        lambda x, y: torch.einsum("abc,abd->ab", x, y),
        lambda x, y: torch.einsum("abc,abc->", x, y),
        lambda x, y: torch.einsum("abc,abc->abc", x, y),
        lambda x, y: torch.einsum("aab,aab->a", x, y),
        lambda x, y: torch.einsum("...c,...c->...", x, y),
        lambda x, y: torch.einsum("abc,abc,abc->ab", x, y, y),
        lambda x, y: torch.einsum("abc,abc->ab", x, y[:, :1]),
    ],
)
def test_leaves_others_alone(check, function):
    check(DotProducts(), function, [torch.randn(3, 3, 3).double(), torch.randn(3, 3, 3).double()], times=0)


def test_leaves_types_of_few_bits_alone(sketch):
    x = torch.randn(8, 8).bfloat16()
    graph = sketch(lambda x: torch.einsum("ab,ab->a", x, x), {}, [x])
    assert apply_rules(graph, [DotProducts()], training=False) == []
