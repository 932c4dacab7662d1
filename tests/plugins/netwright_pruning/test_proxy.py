"""The held slice: what it measures, and that it is the training split's own."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from netwright.cases import Inputs
from netwright_pruning.proxy import hold_out, make_proxy


class Scores(nn.Module):
    """Gives its inputs back as logits, scaled."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


def test_accuracy_and_loss_are_those_of_the_held_slice() -> None:
    logits = torch.tensor([[0.0, 2.0], [2.0, 0.0], [0.0, 2.0], [0.0, 2.0]])
    held = TensorDataset(logits, torch.tensor([1, 1, 1, 1]))
    model = Scores().train()
    found = make_proxy(model, Inputs((logits,)), held).score(model)
    assert found.score == 0.75
    right, wrong = (-torch.tensor([a, b]).log_softmax(0)[0].item() for a, b in ((2.0, 0.0), (0.0, 2.0)))
    assert found.loss == pytest.approx((3 * right + wrong) / 4, rel=1e-5)
    assert model.training


def test_numbers_are_judged_by_their_squared_error() -> None:
    held = TensorDataset(torch.ones(3, 2), torch.zeros(3, 2))
    model = Scores(2.0)
    found = make_proxy(model, Inputs((torch.ones(3, 2),)), held).score(model)
    assert (found.score, found.loss) == (None, 4.0)


def test_without_data_the_distance_from_the_unpruned_model_counts() -> None:
    inputs = Inputs((torch.tensor([[3.0, 4.0]]),))
    proxy = make_proxy(Scores(1.0), inputs, None)
    assert proxy.score(Scores(1.0)).loss == 0
    assert proxy.score(Scores(0.5)).loss == pytest.approx(0.25)


def test_the_held_slice_is_drawn_by_lot_and_apart() -> None:
    train = TensorDataset(torch.arange(100), torch.arange(100) // 10)  # in order of their classes, as folders are read
    rest, held = hold_out(train, 30, seed=0)
    numbers = [[int(samples[index][0]) for index in range(len(samples))] for samples in (rest, held)]  # type: ignore[arg-type]
    assert sorted(numbers[0] + numbers[1]) == list(range(100))
    assert len(numbers[1]) == 30
    assert len({number // 10 for number in numbers[1]}) > 7
    again, other = (hold_out(train, 30, seed=seed)[1] for seed in (0, 1))
    assert [int(again[index][0]) for index in range(30)] == numbers[1]
    assert [int(other[index][0]) for index in range(30)] != numbers[1]


def test_of_a_small_split_half_is_held() -> None:
    train = TensorDataset(torch.arange(7), torch.arange(7))
    assert [len(part) for part in hold_out(train, 512, seed=0)] == [4, 3]  # type: ignore[arg-type]
