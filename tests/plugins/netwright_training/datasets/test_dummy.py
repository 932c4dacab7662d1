"""Random data of any shape can be learnt, and is fixed by the seed."""

from typing import cast

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from netwright_training import evaluate, load_dataset, train


def test_shapes_and_seed() -> None:
    settings = {"name": "dummy", "input_shape": [2, 5], "num_classes": 3, "samples": 90}
    first, again, other = (load_dataset(settings, seed=seed) for seed in (0, 0, 1))
    inputs, targets = cast("TensorDataset", first.train).tensors
    assert inputs.shape[1:] == torch.Size(first.input_shape) == torch.Size([2, 5])
    assert set(targets.tolist()) == {0, 1, 2}
    assert torch.equal(inputs, cast("TensorDataset", again.train).tensors[0])
    assert not torch.equal(inputs, cast("TensorDataset", other.train).tensors[0])


@pytest.mark.parametrize(
    ("task", "outputs", "metric", "reached"), [("classification", 4, "accuracy", 0.8), ("regression", 1, "mse", 0.1)]
)
def test_a_linear_model_learns_it(task: str, outputs: int, metric: str, reached: float) -> None:
    settings = {"name": "dummy", "task": task, "input_shape": [12], "samples": 400}
    splits = load_dataset(settings | ({"num_classes": 4} if task == "classification" else {}), seed=0)
    torch.manual_seed(0)
    model = nn.Linear(12, outputs)
    train(model, splits, {"epochs": 8, "batch_size": 16, "optimizer": {"lr": 0.05}, "device": "cpu"}, seed=0)
    value = evaluate(model, splits.test, metrics=[metric])[metric]
    assert value > reached if metric == "accuracy" else value < reached
