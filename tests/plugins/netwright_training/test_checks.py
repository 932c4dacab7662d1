"""A model that does not fit its data is refused before anything is trained."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from netwright.errors import UserError
from netwright_training import Splits, train
from netwright_training.checks import check_fit

MakeModel = Callable[[], nn.Module]
CPU = torch.device("cpu")


class Pair(nn.Module):
    """Returns two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            nn.Sequential(nn.Flatten(), nn.Linear(64, 12)),
            "the model's head has 12 outputs; dataset 'digits' has 10 classes; build the model with 10 classes",
        ),
        (nn.Conv2d(3, 10, 3), r"the model does not take the inputs of dataset 'digits', of shape \(2, 1, 8, 8\); "),
        (nn.Conv2d(1, 10, 3), r"the model's outputs have the shape \(2, 10, 6, 6\); scores of classes have the shape"),
        (nn.Sequential(nn.Flatten(), nn.Linear(64, 5)), "a label is .; the model has 5 classes, counted from 0|5 outp"),
        (Pair(), "the model returns a tuple; training needs one tensor"),
    ],
)
def test_models_that_do_not_fit_are_refused_in_one_line(digits: Splits, model: nn.Module, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        train(model, digits, {"device": "cpu"}, seed=0)
    assert "\n" not in str(caught.value)


def test_shapes_of_numbers_must_agree() -> None:
    data = TensorDataset(torch.zeros(4, 3), torch.zeros(4, 1))
    splits = Splits(data, data, data, None, (3,), "regression", "x")
    check_fit(nn.Linear(3, 1), splits, CPU)
    with pytest.raises(UserError, match=r"outputs have the shape \(2, 3\); the targets of these samples have \(2, 1\)"):
        check_fit(nn.Linear(3, 3), splits, CPU)


def test_empty_splits_are_refused(digits: Splits, make_model: MakeModel) -> None:
    empty = TensorDataset(torch.zeros(0, 1, 8, 8), torch.zeros(0).long())
    with pytest.raises(UserError, match="the validation split of dataset 'digits' is empty"):
        check_fit(make_model(), replace(digits, validation=empty), CPU)


def test_labels_out_of_range_are_refused(digits: Splits, make_model: MakeModel) -> None:
    data = TensorDataset(torch.zeros(30, 1, 8, 8), torch.arange(30) % 11)
    with pytest.raises(UserError, match="a label is 10; 10 classes are numbered from 0 to 9"):
        train(make_model(), replace(digits, train=data), {"device": "cpu"}, seed=0)


def test_the_check_leaves_no_trace(digits: Splits, make_model: MakeModel) -> None:
    model = make_model()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    check_fit(model, digits, CPU)
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
