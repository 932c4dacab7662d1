"""Batches serve every sample once, from memory as through a loader."""

from typing import cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from netwright.errors import UserError
from netwright_training.batches import Batches

CPU = torch.device("cpu")


class Lazy(Dataset[tuple[Tensor, Tensor]]):
    """The samples of a `TensorDataset` one at a time; sample 3 cannot be read when `broken`."""

    def __init__(self, data: TensorDataset, *, broken: bool = False) -> None:
        self.data = data
        self.broken = broken

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        if self.broken and index == 3:
            raise UserError("cannot read image 3.png", why="damaged")
        return cast("tuple[Tensor, Tensor]", self.data[index])


def samples(count: int) -> TensorDataset:
    return TensorDataset(torch.arange(count).float().unsqueeze(1), torch.arange(count) % 4)


def seed(number: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(number)


@given(count=st.integers(1, 40), batch_size=st.integers(1, 12))
def test_a_shuffled_pass_serves_every_sample_once(count: int, batch_size: int) -> None:
    batches = Batches(samples(count), batch_size, CPU)
    served = [inputs[:, 0].tolist() for inputs, _ in batches.shuffled(seed())]
    alone = count % batch_size == 1 and 1 < batch_size < count
    assert len(served) == batches.steps
    assert len({value for batch in served for value in batch}) == sum(map(len, served)) == count - alone
    in_order = [value for inputs, _ in batches.in_order() for value in inputs[:, 0].tolist()]
    assert in_order == list(range(count))


def test_a_loader_serves_what_memory_serves() -> None:
    data = samples(23)
    memory, lazy = Batches(data, 5, CPU), Batches(Lazy(data), 5, CPU)
    for mine, other in (
        (memory.shuffled(seed()), lazy.shuffled(seed())),
        (memory.in_order(), lazy.in_order()),
    ):
        for (inputs, targets), (other_inputs, other_targets) in zip(mine, other, strict=True):
            assert torch.equal(inputs, other_inputs)
            assert torch.equal(targets, other_targets)


def test_order_comes_from_the_generator_and_nowhere_else() -> None:
    state = torch.random.get_rng_state()
    for dataset in (samples(20), Lazy(samples(20))):
        batches = Batches(dataset, 20, CPU)
        orders = [next(iter(batches.shuffled(seed(number))))[0][:, 0].tolist() for number in (0, 0, 1)]
        assert orders[0] == orders[1] != orders[2]
        list(batches.in_order())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_labels_out_of_range_are_refused() -> None:
    with pytest.raises(UserError, match="a label is 3; 3 classes are numbered from 0 to 2"):
        Batches(samples(8), 4, CPU, num_classes=3)
    with pytest.raises(UserError, match="a label is 3"):
        list(Batches(Lazy(samples(8)), 4, CPU, num_classes=3).in_order())


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_of_the_data_stays_one_line(workers: int) -> None:
    batches = Batches(Lazy(samples(8), broken=True), 4, CPU, workers=workers)
    with pytest.raises(UserError) as caught:
        list(batches.in_order())
    assert str(caught.value) == "cannot read image 3.png; damaged"
