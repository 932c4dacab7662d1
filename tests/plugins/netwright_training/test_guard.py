"""Numbers that are not finite change nothing."""

import pytest
import torch
from torch import nn

from netwright.errors import NetwrightError
from netwright_training.guard import FiniteGuard

GOOD, NAN, INF = torch.tensor(1.0), torch.tensor(float("nan")), torch.tensor(float("inf"))


@pytest.mark.parametrize(("loss", "norm"), [(NAN, GOOD), (GOOD, INF), (INF, NAN), (-INF, INF)])
def test_what_is_not_finite_is_not_accepted(loss: torch.Tensor, norm: torch.Tensor) -> None:
    assert not FiniteGuard(nn.Linear(1, 1), 5).accepts(loss, norm)


def test_running_statistics_are_put_back() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1))
    guard = FiniteGuard(model, 5)
    model(torch.randn(8, 3))
    before = [buffer.clone() for buffer in model.buffers()]
    guard.keep()
    model(torch.full((8, 3), float("nan")))
    assert not guard.accepts(NAN, GOOD)
    assert all(torch.equal(old, new) for old, new in zip(before, model.buffers(), strict=True))


def test_only_bad_steps_in_a_row_count() -> None:
    guard = FiniteGuard(nn.Linear(1, 1), 2)
    assert [guard.accepts(loss, GOOD) for loss in (NAN, GOOD, NAN)] == [False, True, False]
    with pytest.raises(NetwrightError, match="training given up: 2 steps in a row were not finite; the loss is nan"):
        guard.accepts(NAN, GOOD)
