"""Splits are disjoint, complete, stratified and fixed by the seed."""

from typing import Any, cast

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.utils.data import Subset, TensorDataset

from netwright.errors import UserError
from netwright_training import Splits
from netwright_training.splits import Samples, split_indices, take


class Squares(torch.utils.data.Dataset[tuple[int, int]]):
    """A data set that is not in memory."""

    def __len__(self) -> int:
        return 30

    def __getitem__(self, index: int) -> tuple[int, int]:
        return index, index**2


@given(
    counts=st.lists(st.integers(10, 60), min_size=1, max_size=12),
    fractions=st.lists(st.floats(0.05, 0.3), min_size=1, max_size=2),
    seed=st.integers(0, 2**31),
)
def test_parts_hold_their_share_of_every_class_and_of_all(counts: list[int], fractions: list[float], seed: int) -> None:
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    assume(min(fractions) * len(labels) > 0.5)
    parts = split_indices(labels, fractions, seed, name="x")
    assert torch.cat(parts).sort().values.tolist() == list(range(len(labels)))
    for part, fraction in zip(parts, fractions, strict=False):
        assert abs(len(part) - fraction * len(labels)) <= 0.5
        for label, count in enumerate(counts):
            assert abs((labels[part] == label).sum() - fraction * count) <= 1


@given(counts=st.lists(st.integers(1, 4), min_size=1, max_size=30), seed=st.integers(0, 2**31))
def test_the_rest_keeps_a_sample_of_every_class(counts: list[int], seed: int) -> None:
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    try:
        parts = split_indices(labels, (0.3, 0.4), seed, name="x")
    except UserError:
        return
    assert torch.cat(parts).sort().values.tolist() == list(range(len(labels)))
    assert set(labels[parts[-1]].tolist()) == set(range(len(counts)))


def test_shares_of_large_classes_are_exact_to_a_sample() -> None:
    labels = torch.arange(1000) % 10
    validation, test, train = split_indices(labels, (0.1, 0.2), 0, name="x")
    assert torch.bincount(labels[validation]).tolist() == [10] * 10
    assert torch.bincount(labels[test]).tolist() == [20] * 10
    assert torch.bincount(labels[train]).tolist() == [70] * 10


def test_many_small_classes_still_fill_every_part() -> None:
    validation, rest = split_indices(torch.arange(400) // 4, (0.1,), 0, name="x")
    assert (len(validation), len(rest)) == (40, 360)


def test_the_seed_alone_decides() -> None:
    labels = torch.arange(100) % 3
    first, again, other = (split_indices(labels, (0.3,), seed, name="x")[0] for seed in (1, 1, 2))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(UserError, match="dataset 'x' has too few samples to split; 3 samples give parts of 0, 3"):
        split_indices(torch.zeros(3), (0.1,), 0, name="x")


def test_take_keeps_memory_in_memory_and_files_in_files() -> None:
    memory = take(TensorDataset(torch.arange(5)), torch.tensor([3, 1]))
    assert isinstance(memory, TensorDataset)
    assert memory.tensors[0].tolist() == [3, 1]
    assert [item[1] for item in cast("Any", take(Squares(), torch.tensor([4, 2])))] == [16, 4]


def test_limit_keeps_so_many_of_each_split_drawn_by_the_seed() -> None:
    squares: Samples = Squares()
    splits = Splits(squares, squares, squares, 3, (1,), "classification", "x").limited(10, seed=0)
    chosen = cast("Subset[tuple[int, int]]", splits.train).indices
    assert len(set(chosen)) == 10
    assert chosen != list(range(10))
    assert cast("Subset[tuple[int, int]]", splits.limited(99, seed=0).train).indices == chosen
