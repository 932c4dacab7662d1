"""Checkpoints can be read by others, survive a kill at any write, and resume to the same bits."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import netwright_training.checkpoints
from netwright.errors import UserError
from netwright.files import replace_file
from netwright_training import Splits, TrainResult, train
from netwright_training.checkpoints import save_weights

MakeModel = Callable[[], nn.Module]
RECIPE: dict[str, Any] = {
    "epochs": 6,
    "batch_size": 32,
    "device": "cpu",
    "optimizer": {"name": "adamw", "lr": 0.02},
    "scheduler": {"name": "plateau", "patience": 0, "factor": 0.5},
    "early_stopping": {"patience": 4},
}


class KilledError(Exception):
    """Stands for the process's end."""


def same(first: nn.Module, second: nn.Module) -> bool:
    other = second.state_dict()
    return all(torch.equal(tensor, other[name]) for name, tensor in first.state_dict().items())


def course(result: TrainResult) -> list[dict[str, Any]]:
    return [record.model_dump(exclude={"seconds"}) for record in result.history]


def test_others_can_read_the_weights(digits: Splits, make_model: MakeModel, tmp_path: Path) -> None:
    model = make_model()
    result = train(model, digits, RECIPE, seed=0, folder=tmp_path / "new" / "folder")
    assert result.best_weights is not None
    assert result.last_state is not None
    best = make_model()
    best.load_state_dict(load_file(result.best_weights))
    assert same(best, model)
    state = torch.load(result.last_state, weights_only=True)
    last = load_file(result.last_state.with_name("last.safetensors"))
    assert all(torch.equal(last[name], tensor) for name, tensor in state["model"].items())
    assert len(state["history"]) == len(result.history)


@pytest.mark.parametrize("fatal_write", range(1, 15, 2))
def test_killed_at_any_write_it_resumes_to_the_same_bits(
    digits: Splits, make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fatal_write: int
) -> None:
    whole = make_model()
    expected = train(whole, digits, RECIPE, seed=0, folder=tmp_path / "whole")
    writes = 0

    @contextmanager
    def die(path: Path) -> Iterator[Path]:
        nonlocal writes
        writes += 1
        if writes == fatal_write:
            raise KilledError
        with replace_file(path) as temporary:
            yield temporary

    monkeypatch.setattr(netwright_training.checkpoints, "replace_file", die)
    with pytest.raises(KilledError):
        train(make_model(), digits, RECIPE, seed=0, folder=tmp_path / "killed")
    monkeypatch.undo()
    resumed = make_model()
    torch.manual_seed(fatal_write)  # which must not matter
    result = train(resumed, digits, RECIPE, seed=0, folder=tmp_path / "killed", resume=True)
    assert same(resumed, whole)
    assert course(result) == course(expected)
    assert (result.best_epoch, result.stop_reason) == (expected.best_epoch, expected.stop_reason)
    files = ("best.safetensors", "last.safetensors")
    assert all((tmp_path / "killed" / f).read_bytes() == (tmp_path / "whole" / f).read_bytes() for f in files)


def test_a_finished_training_resumes_to_itself(digits: Splits, make_model: MakeModel, tmp_path: Path) -> None:
    model, again = make_model(), make_model()
    first = train(model, digits, RECIPE, seed=0, folder=tmp_path)
    second = train(again, digits, RECIPE, seed=0, folder=tmp_path, resume=True)
    assert same(model, again)
    assert second == first


def test_more_epochs_may_be_asked_for(digits: Splits, make_model: MakeModel, tmp_path: Path) -> None:
    recipe = {**RECIPE, "early_stopping": None}
    longer = make_model()
    train(make_model(), digits, {**recipe, "epochs": 2}, seed=0, folder=tmp_path)
    result = train(longer, digits, recipe, seed=0, folder=tmp_path, resume=True)
    whole = make_model()
    assert course(train(whole, digits, recipe, seed=0)) == course(result)
    assert same(longer, whole)


def test_without_resume_a_training_starts_again(digits: Splits, make_model: MakeModel, tmp_path: Path) -> None:
    for seed in (0, 1):
        model = make_model()
        train(model, digits, RECIPE, seed=seed, folder=tmp_path)
    assert all(torch.equal(load_file(tmp_path / "best.safetensors")[k], v) for k, v in model.state_dict().items())


def test_the_last_state_is_written_every_so_many_epochs_and_at_the_end(
    digits: Splits, make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    @contextmanager
    def watched(path: Path) -> Iterator[Path]:
        written.append(path.name)
        with replace_file(path) as temporary:
            yield temporary

    monkeypatch.setattr(netwright_training.checkpoints, "replace_file", watched)
    recipe = {**RECIPE, "epochs": 5, "early_stopping": None, "checkpoint_every": 2}
    train(make_model(), digits, recipe, seed=0, folder=tmp_path)
    assert written.count("last.pt") == 3


@pytest.mark.parametrize(
    ("seed", "values", "message"),
    [
        (1, {}, "last.pt belongs to another training; seed was 0 and is 1; choose another folder"),
        (0, {"optimizer": {"lr": 0.5}}, "optimizer.lr was 0.02 and is 0.5"),
        (0, {"early_stopping": None}, "early_stopping.patience was 4 and is None"),
    ],
)
def test_another_trainings_checkpoint_is_refused(
    digits: Splits, make_model: MakeModel, tmp_path: Path, seed: int, values: dict[str, Any], message: str
) -> None:
    train(make_model(), digits, {**RECIPE, "epochs": 1}, seed=0, folder=tmp_path)
    with pytest.raises(UserError, match=message):
        train(make_model(), digits, {**RECIPE, **values}, seed=seed, folder=tmp_path, resume=True)


def test_another_models_checkpoint_is_refused(digits: Splits, make_model: MakeModel, tmp_path: Path) -> None:
    train(make_model(), digits, {**RECIPE, "epochs": 1}, seed=0, folder=tmp_path)
    with pytest.raises(UserError, match="the checkpoint does not fit this model"):
        train(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), digits, RECIPE, seed=0, folder=tmp_path, resume=True)


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04 junk"])
def test_a_damaged_checkpoint_is_refused_in_one_line(
    digits: Splits, make_model: MakeModel, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "last.pt").write_bytes(content)
    with pytest.raises(
        UserError, match=r"last.pt is no checkpoint, or a damaged one; .*; remove it to start"
    ) as caught:
        train(make_model(), digits, RECIPE, seed=0, folder=tmp_path, resume=True)
    assert "\n" not in str(caught.value)


def test_another_file_of_torchs_is_refused(digits: Splits, make_model: MakeModel, tmp_path: Path) -> None:
    torch.save(make_model().state_dict(), tmp_path / "last.pt")
    with pytest.raises(UserError, match=r"last.pt is no checkpoint, or a damaged one; it holds something else"):
        train(make_model(), digits, RECIPE, seed=0, folder=tmp_path, resume=True)


def test_resuming_needs_a_folder_but_no_checkpoint(digits: Splits, make_model: MakeModel, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to resume from; no folder was given"):
        train(make_model(), digits, RECIPE, seed=0, resume=True)
    fresh, resumed = make_model(), make_model()
    train(fresh, digits, {**RECIPE, "epochs": 1}, seed=0)
    train(resumed, digits, {**RECIPE, "epochs": 1}, seed=0, folder=tmp_path, resume=True)
    assert same(fresh, resumed)


def test_a_full_disk_is_said_in_one_line_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "best.safetensors"
    save_weights(path, {"weight": torch.zeros(2)})

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match=r"cannot write .*best.safetensors; no space left on device"):
        save_weights(path, {"weight": torch.ones(2)})
    monkeypatch.undo()
    assert load_file(path)["weight"].tolist() == [0, 0]
    assert [file.name for file in tmp_path.iterdir()] == ["best.safetensors"]


def test_tied_weights_and_views_can_be_saved(tmp_path: Path) -> None:
    tensor = torch.arange(6.0).view(2, 3)
    weights: dict[str, Tensor] = {"one": tensor, "same": tensor, "turned": tensor.t()}
    save_weights(tmp_path / "x.safetensors", weights)
    assert all(torch.equal(value, weights[name]) for name, value in load_file(tmp_path / "x.safetensors").items())
