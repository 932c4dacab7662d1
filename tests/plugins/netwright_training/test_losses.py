"""Losses fit their task."""

import pytest
import torch
from torch.nn import functional as F

from netwright.errors import UserError
from netwright_training.config import LossName, Task
from netwright_training.losses import make_loss


def test_auto_takes_what_the_task_asks_for() -> None:
    scores, classes, numbers = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0]), torch.randn(5, 3)
    assert torch.equal(make_loss("auto", "classification")(scores, classes), F.cross_entropy(scores, classes))
    assert torch.equal(make_loss("auto", "regression")(scores, numbers), F.mse_loss(scores, numbers))
    assert torch.equal(make_loss("l1", "regression")(scores, numbers), F.l1_loss(scores, numbers))
    smooth = make_loss("cross_entropy", "classification", 0.1)(scores, classes)
    assert torch.equal(smooth, F.cross_entropy(scores, classes, label_smoothing=0.1))


def test_half_precision_is_widened_and_double_targets_adapt() -> None:
    scores = torch.randn(4, 1, dtype=torch.bfloat16, requires_grad=True)
    loss = make_loss("mse", "regression")(scores, torch.zeros(4, 1, dtype=torch.float64))
    assert loss.dtype == torch.float32
    assert torch.autograd.grad(loss, scores)[0].dtype == torch.bfloat16


@pytest.mark.parametrize(("name", "task"), [("mse", "classification"), ("cross_entropy", "regression")])
def test_a_loss_that_does_not_fit_is_refused(name: LossName, task: Task) -> None:
    with pytest.raises(UserError, match=f"loss '{name}' does not fit {task}; set train.loss to"):
        make_loss(name, task)


def test_numbers_take_no_label_smoothing() -> None:
    with pytest.raises(UserError, match="label_smoothing does not fit regression"):
        make_loss("auto", "regression", 0.1)
