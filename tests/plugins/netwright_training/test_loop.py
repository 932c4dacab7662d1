"""The loop learns, repeats itself to the bit, keeps the best weights and survives numbers that are not finite."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Subset, TensorDataset

import netwright_training.loop
from netwright.context import RunContext
from netwright.errors import NetwrightError, UserError
from netwright.runfolder import read_json_lines
from netwright_training import Splits, TrainConfig, evaluate, load_dataset, train
from netwright_training.batches import Batches
from netwright_training.config import Precision
from netwright_training.seeds import generator

MakeModel = Callable[[], nn.Module]
Weights = dict[str, Tensor]
SHORT = {"epochs": 3, "batch_size": 32, "device": "cpu"}


class Louder(nn.Module):
    """Makes gradients so large that half precision cannot hold them at the first loss scale."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 60


class Greedy(nn.Linear):
    """Finds no memory to train in."""

    def __init__(self) -> None:
        super().__init__(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return super().forward(x)


def weights(model: nn.Module) -> Weights:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def equal(first: Weights, second: Weights) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_it_learns_digits(make_model: MakeModel) -> None:
    splits = load_dataset({"name": "digits"}, seed=0)
    model = make_model()
    result = train(model, splits, {"epochs": 12, "device": "cpu", "optimizer": {"lr": 0.01}}, seed=0)
    assert evaluate(model, splits.test, metrics=["accuracy"])["accuracy"] > 0.92
    assert [record.epoch for record in result.history] == list(range(1, 13))
    assert result.history[-1].train_loss < result.history[0].train_loss / 3
    assert all(later.learning_rate < earlier.learning_rate for earlier, later in pairwise(result.history))
    assert all(record.seconds > 0 and record.skipped_steps == 0 for record in result.history)
    assert (result.stop_reason, result.device, result.precision) == ("finished", "cpu", "off")


def test_equal_seeds_give_equal_bits_and_others_do_not(digits: Splits, make_model: MakeModel) -> None:
    runs = []
    for seed, disturbance in ((0, 1), (0, 2), (1, 1)):
        torch.manual_seed(disturbance)  # which must not matter
        model = make_model()
        result = train(model, digits, SHORT, seed=seed)
        runs.append((weights(model), [record.train_loss for record in result.history]))
    assert equal(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1]
    assert not equal(runs[0][0], runs[2][0])


def test_data_that_is_not_in_memory_gives_the_same_bits(digits: Splits, make_model: MakeModel) -> None:
    everything = range(len(cast("TensorDataset", digits.train)))
    one, other = make_model(), make_model()
    train(one, digits, SHORT, seed=0)
    train(other, replace(digits, train=Subset(digits.train, everything)), SHORT, seed=0)
    assert equal(weights(one), weights(other))


def test_it_is_what_one_writes_by_hand(digits: Splits, make_model: MakeModel) -> None:
    recipe = {
        "epochs": 1,
        "batch_size": 16,
        "device": "cpu",
        "gradient_clip": 0.5,
        "label_smoothing": 0.1,
        "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
        "scheduler": {"name": "none"},
    }
    mine, other = make_model(), make_model()
    cast("nn.Sequential", mine)[4] = nn.Identity()  # dropout draws from a stream of its own
    cast("nn.Sequential", other)[4] = nn.Identity()
    result = train(mine, digits, recipe, seed=5)
    optimizer = torch.optim.SGD(other.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    batches = Batches(digits.train, 16, torch.device("cpu"))
    losses = []
    for inputs, targets in batches.shuffled(generator(5, "order", 1)):
        loss = F.cross_entropy(other(inputs), targets, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(other.parameters(), 0.5)
        optimizer.step()
        losses += [loss.item()] * len(targets)
    assert result.history[0].train_loss == pytest.approx(sum(losses) / len(losses), rel=1e-5)
    for name, tensor in other.state_dict().items():
        assert torch.allclose(mine.state_dict()[name], tensor, atol=1e-5), name


def test_what_was_borrowed_comes_back(digits: Splits, make_model: MakeModel) -> None:
    model = make_model().eval()
    state = torch.random.get_rng_state()
    train(model, digits, SHORT, seed=0)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not any(module.training for module in model.modules())


def test_the_model_ends_with_its_best_weights(digits: Splits, make_model: MakeModel) -> None:
    model = make_model()
    recipe = {**SHORT, "epochs": 6, "optimizer": {"name": "sgd", "lr": 2.0}, "scheduler": {"name": "none"}}
    result = train(model, digits, recipe, seed=0)
    losses = [record.validation_loss for record in result.history]
    assert result.best_epoch == losses.index(min(losses)) + 1 < 6, "the last epoch must not be the best here"
    assert result.best is not None
    found = evaluate(model, digits.validation, metrics=["accuracy"], batch_size=32)
    assert found == {"loss": result.best.validation_loss, **result.best.metrics}


def test_early_stopping_ends_it(digits: Splits, make_model: MakeModel) -> None:
    recipe = {
        **SHORT,
        "epochs": 50,
        "optimizer": {"name": "sgd", "lr": 1e-9},
        "early_stopping": {"min_delta": 0.1, "patience": 2},
    }
    result = train(make_model(), digits, recipe, seed=0)
    assert (len(result.history), result.stop_reason) == (3, "early stopping")


def test_plateau_lowers_the_learning_rate(digits: Splits, make_model: MakeModel) -> None:
    scheduler = {"name": "plateau", "patience": 0, "factor": 0.5}
    recipe = {
        **SHORT,
        "epochs": 4,
        "best_by": "accuracy",
        "optimizer": {"name": "sgd", "lr": 1e-9},
        "scheduler": scheduler,
    }
    rates = [record.learning_rate for record in train(make_model(), digits, recipe, seed=0).history]
    assert rates == pytest.approx([1e-9, 1e-9, 0.5e-9, 0.25e-9])


def test_no_epochs_train_nothing(digits: Splits, make_model: MakeModel, tmp_path: Path) -> None:
    model = make_model()
    before = weights(model)
    result = train(model, digits, {**SHORT, "epochs": 0}, seed=0, folder=tmp_path)
    assert (result.history, result.best, result.best_weights, result.last_state) == ((), None, None, None)
    assert equal(weights(model), before)


def test_a_bad_sample_costs_a_step_and_harms_nothing(
    digits: Splits, make_model: MakeModel, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs, targets = (tensor.clone() for tensor in cast("TensorDataset", digits.train).tensors)
    inputs[17] = float("nan")
    model = make_model()
    result = train(model, replace(digits, train=TensorDataset(inputs, targets)), SHORT, seed=0)
    assert [record.skipped_steps for record in result.history] == [1, 1, 1]
    assert result.skipped_steps == 3
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())
    assert result.history[-1].train_loss < result.history[0].train_loss
    assert "epoch 1: 1 of 7 steps were not finite and skipped" in " ".join(capsys.readouterr().out.split())


def test_bad_steps_in_a_row_end_it_with_the_last_good_weights(digits: Splits, make_model: MakeModel) -> None:
    inputs, targets = cast("TensorDataset", digits.train).tensors
    bad = replace(digits, train=TensorDataset(torch.full_like(inputs, float("inf")), targets))
    model = make_model()
    before = weights(model)
    with pytest.raises(NetwrightError, match="training given up: 3 steps in a row were not finite") as caught:
        train(model, bad, {**SHORT, "max_skipped_steps": 3}, seed=0)
    assert caught.value.exit_code == 1
    assert equal(weights(model), before)


def test_regression_is_learnt_and_measured_by_mse() -> None:
    splits = load_dataset({"name": "dummy", "task": "regression", "input_shape": [6]}, seed=0)
    torch.manual_seed(0)
    result = train(nn.Linear(6, 1), splits, {**SHORT, "epochs": 10, "optimizer": {"lr": 0.05}}, seed=0)
    assert result.best is not None
    assert result.best.metrics["mse"] == pytest.approx(result.best.validation_loss)
    assert result.best.metrics["mse"] < 0.05


def test_a_last_batch_of_one_is_left_out(digits: Splits, make_model: MakeModel) -> None:
    few = replace(digits, train=Subset(digits.train, range(33)))
    assert train(make_model(), few, SHORT, seed=0).history[-1].skipped_steps == 0


def test_amp_off_cuda_says_so(digits: Splits, make_model: MakeModel, capsys: pytest.CaptureFixture[str]) -> None:
    result = train(make_model(), digits, {**SHORT, "amp": "bf16"}, seed=0)
    assert result.precision == "off"
    assert "train.amp=bf16 works on CUDA only: training in full precision on cpu" in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_the_steps_of_mixed_precision_on_the_cpus_autocast(
    digits: Splits, make_model: MakeModel, monkeypatch: pytest.MonkeyPatch, precision: Precision
) -> None:
    """Mixed precision is for CUDA; the CPU's autocast and loss scaling run the same lines."""
    monkeypatch.setattr(netwright_training.loop, "usable_precision", lambda asked, _: asked)
    model = make_model()
    result = train(model, digits, {**SHORT, "epochs": 12, "amp": precision, "gradient_clip": 5.0}, seed=0)
    assert result.precision == precision
    assert result.history[-1].train_loss < result.history[0].train_loss
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


def test_a_loss_scale_that_overflows_is_lowered_until_it_fits(
    digits: Splits, make_model: MakeModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(netwright_training.loop, "usable_precision", lambda asked, _: asked)
    model = nn.Sequential(make_model(), Louder())
    result = train(model, digits, {**SHORT, "epochs": 4, "amp": "fp16"}, seed=0)
    assert 1 <= result.history[0].skipped_steps < 7
    assert result.history[-1].skipped_steps == 0
    assert result.history[-1].train_loss < result.history[0].train_loss
    assert "not finite" not in capsys.readouterr().out


def test_too_little_memory_is_said_in_one_line(digits: Splits) -> None:
    model = nn.Sequential(nn.Flatten(), Greedy())
    with pytest.raises(
        NetwrightError, match="cpu has too little memory for this training; CUDA out of memory; lower tr"
    ):
        train(model, digits, SHORT, seed=0)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("precision", ["off", "bf16", "fp16"])
def test_cuda_learns_repeatably_and_gives_the_model_back(
    digits: Splits, make_model: MakeModel, precision: Precision
) -> None:
    recipe = {**SHORT, "epochs": 6, "amp": precision, "device": "cuda"}
    models = make_model(), make_model()
    results = [train(model, digits, recipe, seed=0) for model in models]
    assert equal(weights(models[0]), weights(models[1]))
    assert results[0].history[-1].train_loss < results[0].history[0].train_loss
    assert {parameter.device.type for parameter in models[0].parameters()} == {"cpu"}


def test_a_run_logs_the_step(digits: Splits, make_model: MakeModel, run_context: RunContext) -> None:
    train(make_model(), digits, SHORT, seed=0, step_name="fine-tune taylor")
    assert run_context.folder is not None
    ended = [event for event in read_json_lines(run_context.folder.events_file) if event["event"] == "step_ended"]
    assert [(event["step"], event["outcome"], event["facts"]["epoch"]) for event in ended] == [
        ("fine-tune taylor", "ok", 3)
    ]
    assert {"loss", "accuracy"} <= ended[0]["facts"].keys()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"metrics": ["acuracy"]}, r"no metric named 'acuracy'; did you mean 'accuracy'\?"),
        ({"best_by": "f1_macro"}, "no measure for train.best_by named 'f1_macro'"),
        ({"loss": "mse"}, "loss 'mse' does not fit classification"),
        ({"device": "gpu"}, "no device named 'gpu'"),
        ({"optimizer": {"name": "lion"}}, "'train.optimizer.name' cannot be 'lion'"),
    ],
)
def test_wrong_recipes_are_refused_before_training(
    digits: Splits, make_model: MakeModel, values: dict[str, object], message: str
) -> None:
    model = make_model()
    before = weights(model)
    with pytest.raises(UserError, match=message):
        train(model, digits, {"device": "cpu", **values}, seed=0)
    assert equal(weights(model), before)


def test_the_recipe_may_be_an_object(digits: Splits, make_model: MakeModel) -> None:
    assert len(train(make_model(), digits, TrainConfig(epochs=1, device="cpu"), seed=0).history) == 1
