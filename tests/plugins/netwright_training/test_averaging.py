"""The average of weights, by hand and in a training that is interrupted."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from netwright_training import Splits, train
from netwright_training.averaging import WeightAverage

MakeModel = Callable[[], nn.Module]


def test_early_steps_count_more() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 0.0)
    average = WeightAverage(model, 0.999)
    for value in (1.0, 2.0):
        nn.init.constant_(model.weight, value)
        average.update()
    first = 1 - 2 / 11
    second = first + (2 - first) * (1 - 3 / 12)
    with average.in_place():
        assert model.weight.item() == pytest.approx(second, rel=1e-6)
    assert model.weight.item() == 2.0


def test_whole_numbers_are_taken_over() -> None:
    model = nn.BatchNorm1d(2)
    average = WeightAverage(model, 0.9)
    model(torch.randn(4, 2))
    average.update()
    with average.in_place():
        assert model.num_batches_tracked == 1


def test_a_resumed_training_averages_to_the_same_bits(digits: Splits, make_model: MakeModel, tmp_path: Path) -> None:
    recipe = {"batch_size": 32, "device": "cpu", "average_decay": 0.98, "scheduler": {"name": "none"}}
    whole, parts, plain = make_model(), make_model(), make_model()
    train(whole, digits, {**recipe, "epochs": 3}, seed=0)
    train(parts, digits, {**recipe, "epochs": 1}, seed=0, folder=tmp_path)
    train(parts, digits, {**recipe, "epochs": 3}, seed=0, folder=tmp_path, resume=True)
    train(plain, digits, {**recipe, "average_decay": None, "epochs": 3}, seed=0)
    states = [model.state_dict() for model in (whole, parts, plain)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not all(torch.equal(states[0][name], states[2][name]) for name in states[0])
