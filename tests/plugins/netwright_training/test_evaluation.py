"""Evaluation computes over the whole split and leaves no trace."""

from collections.abc import Callable
from typing import cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset, Subset, TensorDataset

from netwright.errors import UserError
from netwright_training import Splits, evaluate

MakeModel = Callable[[], nn.Module]
METRICS = ["accuracy", "top_5_accuracy", "f1_macro"]

WEIGHT_METRIC = """
from netwright import hookimpl
from netwright.specs import MetricSpec


@hookimpl
def netwright_metrics():
    return [MetricSpec(name="weights", summary="W", target="builtins:len", unit="", direction="lower", of="model")]
"""


class Pair(nn.Module):
    """Returns two outputs."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


def test_values_are_those_of_the_whole_split_whatever_the_batches(digits: Splits, make_model: MakeModel) -> None:
    model = make_model().eval()
    inputs, targets = cast("TensorDataset", digits.test).tensors
    scores = model(inputs)
    found = evaluate(model, digits.test, metrics=METRICS, batch_size=7)
    assert found["loss"] == pytest.approx(F.cross_entropy(scores, targets).item(), rel=1e-5)
    assert found["accuracy"] == pytest.approx((scores.argmax(1) == targets).float().mean().item())
    lazy = evaluate(model, Subset(digits.test, range(len(targets))), metrics=METRICS, batch_size=32)
    assert lazy == pytest.approx(found, rel=1e-5)
    assert list(found) == ["loss", *METRICS]


def test_modes_buffers_and_random_state_are_left_alone(digits: Splits, make_model: MakeModel) -> None:
    model = make_model().train()
    cast("nn.Sequential", model)[2].eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes, state = [module.training for module in model.modules()], torch.random.get_rng_state()
    first = evaluate(model, digits.test)
    assert evaluate(model, digits.test) == first
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_numbers_are_measured_by_their_error() -> None:
    data = TensorDataset(torch.zeros(6, 2), torch.full((6, 2), 3.0))
    assert evaluate(nn.Identity(), data, metrics=["mse"]) == {"loss": 9.0, "mse": 9.0}
    assert evaluate(nn.Identity(), data, loss="l1") == {"loss": 3.0}


def test_low_precision_outputs_are_measured_in_float32() -> None:
    data = TensorDataset(torch.eye(4, dtype=torch.bfloat16), torch.arange(4))
    expected = F.cross_entropy(torch.eye(4), torch.arange(4)).item()
    assert evaluate(nn.Identity(), data)["loss"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("model", "dataset", "metrics", "message"),
    [
        (
            nn.Identity(),
            TensorDataset(torch.zeros(2, 3), torch.tensor([0, 3])),
            [],
            "a label is 3; the model has 3 cla",
        ),
        (nn.Identity(), TensorDataset(torch.zeros(2, 3), torch.zeros(2, 1)), [], r"have the shape \(2, 3\); the targe"),
        (nn.Identity(), TensorDataset(torch.zeros(2), torch.zeros(2).long()), [], "scores of classes have the shape"),
        (Pair(), TensorDataset(torch.zeros(2, 3), torch.zeros(2).long()), [], "the model returns a tuple"),
        (nn.Identity(), TensorDataset(torch.zeros(0, 3), torch.zeros(0).long()), [], "the split is empty"),
        (
            nn.Identity(),
            TensorDataset(torch.zeros(2, 3), torch.zeros(2).long()),
            ["acuracy"],
            "did you mean 'accuracy'",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    model: nn.Module, dataset: Dataset[tuple[Tensor, ...]], metrics: list[str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        evaluate(model, dataset, metrics=metrics)


def test_metrics_of_other_things_are_refused(register_plugin: Callable[..., object]) -> None:
    register_plugin(WEIGHT_METRIC)
    with pytest.raises(
        UserError, match="metric 'weights' is not computed from predictions; it is a metric of the model"
    ):
        evaluate(nn.Identity(), TensorDataset(torch.zeros(2, 3), torch.zeros(2).long()), metrics=["weights"])
