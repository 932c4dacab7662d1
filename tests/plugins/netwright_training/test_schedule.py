"""The learning rate takes the course that torch's own schedulers take."""

import warnings
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import SGD, Optimizer, lr_scheduler

from netwright_training.config import SchedulerConfig
from netwright_training.schedule import learning_rate_fraction

STEPS, EPOCHS = 7, 9


def course(config: SchedulerConfig) -> list[float]:
    return [learning_rate_fraction(config, step, STEPS, EPOCHS) for step in range(STEPS * EPOCHS)]


def course_of_torch(make: Callable[[Optimizer], lr_scheduler.LRScheduler], *, per_epoch: bool) -> list[float]:
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no optimizer step is taken here
        for step in range(STEPS * EPOCHS):
            rates.append(optimizer.param_groups[0]["lr"])
            if not per_epoch or (step + 1) % STEPS == 0:
                scheduler.step()
    return rates


def test_cosine() -> None:
    expected = course_of_torch(
        lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, STEPS * EPOCHS, eta_min=0.1), per_epoch=False
    )
    assert course(SchedulerConfig(name="cosine", final_fraction=0.1)) == pytest.approx(expected)


def test_step() -> None:
    expected = course_of_torch(lambda optimizer: lr_scheduler.StepLR(optimizer, 4, gamma=0.3), per_epoch=True)
    assert course(SchedulerConfig(name="step", every=4, factor=0.3)) == pytest.approx(expected)


def test_exponential() -> None:
    expected = course_of_torch(lambda optimizer: lr_scheduler.ExponentialLR(optimizer, gamma=0.8), per_epoch=True)
    assert course(SchedulerConfig(name="exponential", decay=0.8)) == pytest.approx(expected)


def test_one_cycle_is_that_of_torch_but_for_where_steps_fall() -> None:
    steps, epochs = 100, 20
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=steps * epochs + 1, cycle_momentum=False)
    config = SchedulerConfig(name="one_cycle")
    for step in range(steps * epochs):
        expected = optimizer.param_groups[0]["lr"]
        assert learning_rate_fraction(config, step, steps, epochs) == pytest.approx(expected, abs=0.003)
        optimizer.step()
        scheduler.step()


def test_warm_up_rises_linearly_and_hands_over_at_the_height() -> None:
    rates = course(SchedulerConfig(name="cosine", warmup_epochs=2))
    assert rates[:14] == pytest.approx([(step + 1) / 14 for step in range(14)])
    assert rates[14] == pytest.approx(1.0)
    assert rates[14:] == sorted(rates[14:], reverse=True)


@given(
    name=st.sampled_from(["none", "cosine", "step", "exponential", "plateau", "one_cycle"]),
    steps=st.integers(1, 50),
    epochs=st.integers(1, 50),
    warmup=st.floats(0, 60),
    data=st.data(),
)
def test_fraction_is_positive_and_at_most_one(
    name: str, steps: int, epochs: int, warmup: float, data: st.DataObject
) -> None:
    values = {"name": name, "warmup_epochs": 0 if name == "one_cycle" else warmup}
    step = data.draw(st.integers(0, steps * epochs - 1))
    assert 0 < learning_rate_fraction(SchedulerConfig.model_validate(values), step, steps, epochs) <= 1 + 1e-12
