"""TensorBoard's curves hold what the history holds."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]
from torch import nn

from netwright.context import RunContext
from netwright_training import Splits, train
from netwright_training.scalars import scalar_folder

MakeModel = Callable[[], nn.Module]
RECIPE = {"epochs": 2, "device": "cpu", "early_stopping": None}


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder))
    events.Reload()
    names = events.Tags()["scalars"]
    return {name: [(event.step, event.value) for event in events.Scalars(name)] for name in names}


def test_curves_hold_the_history_across_a_resume(digits: Splits, make_model: MakeModel, tmp_path: Path) -> None:
    train(make_model(), digits, {**RECIPE, "epochs": 2}, seed=0, folder=tmp_path)
    result = train(make_model(), digits, {**RECIPE, "epochs": 4}, seed=0, folder=tmp_path, resume=True)
    found = curves(tmp_path / "tensorboard")
    assert set(found) == {"loss/train", "loss/validation", "learning_rate", "accuracy"}
    expected = [(record.epoch, record.validation_loss) for record in result.history]
    assert [step for step, _ in found["loss/validation"]] == [1, 2, 3, 4]
    assert dict(found["loss/validation"]) == pytest.approx(dict(expected))


def test_inside_a_run_they_lie_beside_the_other_steps(
    digits: Splits, make_model: MakeModel, run_context: RunContext, tmp_path: Path
) -> None:
    train(make_model(), digits, RECIPE, seed=0, folder=tmp_path / "x", step_name="fine-tune taylor")
    assert run_context.folder is not None
    assert scalar_folder(tmp_path / "x", "fine-tune taylor") == run_context.folder.tensorboard / "fine-tune-taylor"
    assert len(curves(run_context.folder.tensorboard / "fine-tune-taylor")["accuracy"]) == 2
    assert not (tmp_path / "x" / "tensorboard").exists()


def test_nothing_is_logged_without_tensorboard(
    digits: Splits, make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netwright_training.scalars.find_spec", lambda _: None)
    assert importlib.util.find_spec("tensorboard") is not None
    train(make_model(), digits, RECIPE, seed=0, folder=tmp_path)
    assert not (tmp_path / "tensorboard").exists()
