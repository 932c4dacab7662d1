"""Index expressions: the element that they name is the one that PyTorch's strides name."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from netwright_fusion.kernels.index import (
    STILL,
    Axis,
    Index,
    contiguous_strides,
    join,
    offset,
    product,
    reshape,
    split,
)

sizes = st.lists(st.integers(1, 4), min_size=1, max_size=4)


def evaluate(index: Index, **names: int) -> int:
    return int(eval(index.text, {}, names))


def test_products_look_equal_when_they_are():
    assert product(["batch", 3, 7]) == product([21, "batch"]) == "batch * 21"
    assert product([2, 3]) == 6
    assert product([]) == 1


@given(sizes)
def test_split_counts_the_last_dimension_fastest(shape):
    axes = split(Index("i"), shape)
    for place, expected in enumerate(itertools.product(*map(range, shape))):
        assert tuple(evaluate(axis.index, i=place) for axis in axes) == expected


@given(sizes, st.randoms(use_true_random=False))
def test_offset_follows_strides(shape, random):
    order = list(range(len(shape)))
    random.shuffle(order)
    tensor = torch.arange(math.prod(shape)).reshape([shape[dim] for dim in order])
    tensor = tensor.permute([order.index(dim) for dim in range(len(shape))])
    where = offset(split(Index("i"), shape), tensor.stride())
    flat = tensor.reshape(-1)
    assert [evaluate(where, i=place) for place in range(flat.numel())] == flat.tolist()


def test_a_dense_tensor_is_walked_by_the_index_itself():
    shape = [2, 3, 4]
    assert offset(split(Index("offsets"), shape), contiguous_strides(shape)).text == "offsets"


def test_a_bias_per_channel_needs_one_quotient_and_one_remainder():
    batch, channel, *_ = split(Index("offsets"), ["batch", 5, 7, 8])
    assert offset((channel,), (1,)).text == "offsets // 56 % 5"
    assert batch.index.text == "offsets // 280"


@given(sizes, st.data())
def test_reshape_finds_the_same_element(shape, data):
    total = math.prod(shape)
    first = data.draw(st.sampled_from([number for number in range(1, total + 1) if total % number == 0]))
    other = [first, total // first]
    position = reshape(split(Index("i"), shape), shape, other)
    assert position is not None
    where = offset(position, contiguous_strides(other))
    assert [evaluate(where, i=place) for place in range(total)] == list(range(total))


def test_reshape_needs_sizes_that_fall_into_pieces():
    assert reshape(split(Index("i"), ["batch", 6]), ["batch", 6], [6, "length"]) is None


def test_a_joined_dimension_is_taken_apart_again():
    group, inside = split(Index("row"), ["batch", 3])[1], split(Index("column"), [2, 5])[0]
    axis = join([group, inside])
    assert axis.size == 6
    assert offset((axis,), (1,)).text == "(row % 3) * 2 + column // 5"


@pytest.mark.parametrize("axis", [STILL, Axis(4, Index("0"))])
def test_what_stands_still_moves_nothing(axis):
    assert offset((axis,), (7,)).zero
