"""Gradients for importance estimators: root mean squares over batches."""

import torch
from torch import nn
from torch.nn import functional as F

from netwright.cases import Inputs
from netwright_pruning.gradients import LABEL_SMOOTHING, leave_gradients


def gradient(parameter: torch.Tensor) -> torch.Tensor:
    assert parameter.grad is not None
    return parameter.grad


def test_the_mean_square_over_batches_is_left(residual: nn.Module, images: Inputs) -> None:
    batches = [(torch.rand(4, 3, 8, 8), torch.randint(10, (4,))) for _ in range(3)]
    squares = torch.zeros_like(residual.get_parameter("head.weight"))
    for samples, targets in batches:
        residual.zero_grad()
        F.cross_entropy(residual(samples), targets, label_smoothing=LABEL_SMOOTHING).backward()  # type: ignore[no-untyped-call]
        squares += gradient(residual.get_parameter("head.weight")) ** 2
    leave_gradients(residual, images, batches, seed=0)
    torch.testing.assert_close(gradient(residual.get_parameter("head.weight")), (squares / 3).sqrt())


def test_numbers_as_targets_take_the_squared_error() -> None:
    model = nn.Linear(2, 1, bias=False)
    samples, targets = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0]])
    residue = (model(samples) - targets).item()
    leave_gradients(model, Inputs((samples,)), [(samples, targets)], seed=0)
    torch.testing.assert_close(gradient(model.weight), (2 * residue * samples).abs())


def test_without_batches_random_projections_are_drawn_from_the_seed(residual: nn.Module, images: Inputs) -> None:
    found = []
    for seed in (1, 1, 2):
        leave_gradients(residual, images, None, seed=seed)
        found.append(gradient(residual.get_parameter("stem.weight")).clone())
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert found[0].min() >= 0


def test_a_parameter_that_takes_no_part_has_gradient_zero() -> None:
    class HalfIdle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle = nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            outputs: torch.Tensor = self.used(x)
            return outputs

    model = HalfIdle()
    leave_gradients(model, Inputs((torch.rand(2, 3),)), None, seed=0)
    assert not gradient(model.idle.weight).any()
    assert gradient(model.used.weight).any()


def test_batch_statistics_do_not_move(residual: nn.Module, images: Inputs) -> None:
    before = residual.get_buffer("norm.running_mean").clone()
    leave_gradients(residual.train(), images, [(torch.rand(4, 3, 8, 8), torch.randint(10, (4,)))], seed=0)
    assert torch.equal(residual.get_buffer("norm.running_mean"), before)
