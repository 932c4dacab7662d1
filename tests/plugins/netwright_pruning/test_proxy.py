"""The held slice: what it measures, and that it is the training split's own."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from netwright.cases import Inputs
from netwright_pruning.proxy import make_proxy


class Scores(nn.Module):
    """Gives its inputs back as logits, scaled."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


def test_accuracy_and_loss_are_those_of_the_last_training_samples() -> None:
    logits = torch.tensor([[9.0, 0.0]] * 5 + [[0.0, 2.0], [2.0, 0.0], [0.0, 2.0], [0.0, 2.0]])
    train = TensorDataset(logits, torch.tensor([1] * 5 + [1, 1, 1, 1]))
    model = Scores().train()
    found = make_proxy(model, Inputs((logits,)), train, held=4).score(model)
    assert found.score == 0.75
    right, wrong = (-torch.tensor([a, b]).log_softmax(0)[0].item() for a, b in ((2.0, 0.0), (0.0, 2.0)))
    assert found.loss == pytest.approx((3 * right + wrong) / 4, rel=1e-5)
    assert model.training


def test_numbers_are_judged_by_their_squared_error() -> None:
    train = TensorDataset(torch.ones(3, 2), torch.zeros(3, 2))
    model = Scores(2.0)
    found = make_proxy(model, Inputs((torch.ones(3, 2),)), train, held=100).score(model)
    assert (found.score, found.loss) == (None, 4.0)


def test_without_data_the_distance_from_the_unpruned_model_counts() -> None:
    inputs = Inputs((torch.tensor([[3.0, 4.0]]),))
    proxy = make_proxy(Scores(1.0), inputs, None, held=4)
    assert proxy.score(Scores(1.0)).loss == 0
    assert proxy.score(Scores(0.5)).loss == pytest.approx(0.25)
