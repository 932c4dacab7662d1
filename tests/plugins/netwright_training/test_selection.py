"""What the validation split decides."""

import math

import pytest

from netwright.errors import UserError
from netwright_training import EpochRecord, TrainConfig
from netwright_training.selection import Selection


def record(epoch: int, loss: float, accuracy: float = 0.0) -> EpochRecord:
    return EpochRecord(
        epoch=epoch,
        train_loss=1.0,
        validation_loss=loss,
        metrics={"accuracy": accuracy},
        learning_rate=0.1,
        seconds=1.0,
    )


def selection(**settings: object) -> Selection:
    return Selection(TrainConfig.model_validate(settings), ("accuracy",))


def test_the_best_epoch_is_the_first_with_the_lowest_loss() -> None:
    chosen = selection()
    assert [chosen.take_in(record(n + 1, loss)) for n, loss in enumerate([3, 2, 2, 2.5])] == [True, True, False, False]
    assert chosen.best.epoch == 2


def test_a_metric_is_followed_in_its_registered_direction() -> None:
    chosen = selection(best_by="accuracy")
    assert [chosen.take_in(record(n + 1, 1, value)) for n, value in enumerate([0.5, 0.4, 0.6])] == [True, False, True]


def test_no_number_is_never_the_best() -> None:
    chosen = selection()
    assert [chosen.take_in(record(n + 1, loss)) for n, loss in enumerate([math.nan, 2, math.nan])] == [
        False,
        True,
        False,
    ]


def test_early_stopping_waits_for_real_improvements() -> None:
    chosen = selection(early_stopping={"patience": 2, "min_delta": 0.5})
    reasons = []
    for epoch, loss in enumerate([3, 2, 1.9, 1.8], start=1):
        chosen.take_in(record(epoch, loss))
        reasons.append(chosen.stop_reason)
    assert reasons == ["finished", "finished", "finished", "early stopping"]
    assert chosen.best.epoch == 4


def test_early_stopping_may_follow_another_measure_and_direction() -> None:
    chosen = selection(early_stopping={"metric": "accuracy", "mode": "min", "patience": 1})
    chosen.take_in(record(1, 2, accuracy=0.5))
    chosen.take_in(record(2, 1, accuracy=0.6))
    assert chosen.stop_reason == "early stopping"


def test_plateau_lowers_after_its_patience_down_to_the_floor() -> None:
    chosen = selection(scheduler={"name": "plateau", "patience": 1, "factor": 0.1, "final_fraction": 0.05})
    fractions = []
    for epoch in range(1, 7):
        chosen.take_in(record(epoch, 1.0))
        fractions.append(chosen.plateau_fraction)
    assert fractions == pytest.approx([1, 1, 0.1, 0.1, 0.05, 0.05])


def test_state_brings_everything_back() -> None:
    settings = {"early_stopping": {"patience": 2}, "scheduler": {"name": "plateau", "patience": 0}}
    first, second = selection(**settings), selection(**settings)
    for epoch, loss in enumerate([3, 4], start=1):
        first.take_in(record(epoch, loss))
    second.restore(first.state())
    assert second.state() == first.state()
    second.take_in(record(3, 5))
    assert second.stop_reason == "early stopping"


@pytest.mark.parametrize("settings", [{"best_by": "acuracy"}, {"early_stopping": {"metric": "acuracy"}}])
def test_a_measure_that_is_not_computed_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"no measure for train.* named 'acuracy'; did you mean 'accuracy'\?"):
        selection(**settings)
