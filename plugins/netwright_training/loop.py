"""The training loop."""

import time
from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from netwright.config import parse_config
from netwright.context import Step, current_run
from netwright.devices import resolve_device
from netwright.errors import NetwrightError, UserError
from netwright_training.averaging import WeightAverage
from netwright_training.batches import Batches
from netwright_training.checkpoints import Checkpoints, State
from netwright_training.checks import check_fit
from netwright_training.config import TrainConfig
from netwright_training.distillation import Distillation, MixedLoss
from netwright_training.distributed import add_up, current_team, share_state
from netwright_training.evaluation import evaluate, prediction_metric
from netwright_training.guard import FiniteGuard
from netwright_training.history import EpochRecord, TrainResult
from netwright_training.losses import make_loss
from netwright_training.memory import is_out_of_memory
from netwright_training.optimizers import make_optimizer
from netwright_training.precision import AUTOCAST_TYPES, usable_precision
from netwright_training.recomputation import recomputing
from netwright_training.scalars import scalar_folder, scalar_log
from netwright_training.schedule import learning_rate_fraction
from netwright_training.seeds import derive_seed, generator
from netwright_training.selection import Selection
from netwright_training.splits import Splits
from netwright_training.surroundings import (
    deterministic_algorithms,
    modes_kept,
    on_device,
    random_state_kept,
    seed_global_state,
)

SMALLEST_PART = 2
"""Samples that batch normalisation needs at least."""
MAY_CHANGE_ON_RESUME = ("epochs", "device", "workers", "checkpoint_every")


def train(
    model: nn.Module,
    splits: Splits,
    config: TrainConfig | Mapping[str, Any] | None = None,
    *,
    seed: int,
    folder: Path | None = None,
    step_name: str = "train",
    resume: bool = False,
    teacher: nn.Module | None = None,
) -> TrainResult:
    """Train `model` in place; it ends with the weights of its best epoch on the validation split.

    Equal weights, splits, configuration and seed give bit-equal results on the same machine with the same number of
    threads. Order, dropout and the like have random streams of their own, made anew from the seed for each epoch;
    torch's global random state, the model's device and its modules' modes are afterwards as before.

    Args:
        config: The recipe, or a mapping that validates as such (a case manifest's `train`).
        folder: Where to write `best.safetensors`, `last.safetensors`, `last.pt` and TensorBoard's curves (inside a run,
            those go to the run's own `tensorboard/`); nothing is written without it.
        step_name: What progress, events and curves call this training.
        resume: Whether to go on from the folder's `last.pt`, if there is one, to the same weights as without the
            interruption. Only epochs, device, workers and checkpoint_every may differ from before.
        teacher: What `config.distillation` learns from; it ends as it was.

    In a `process_group`, every process trains on its part of each batch; all end with the same weights, and the first
    one writes the files.

    Where memory runs out, the batch is halved: a step then goes through it in parts whose gradients add up, so that the
    recipe stays the same (but batch normalisation, which sees the parts). A warning says so.

    Raises:
        UserError: Settings, model and data do not fit each other, there is no such device, or the folder holds a
            checkpoint of another training.
        NetwrightError: Too many steps in a row had a loss or gradient that is not finite, or there is too little memory
            even for the smallest parts.
    """
    if not isinstance(config, TrainConfig):
        config = parse_config(TrainConfig, config or {}, path="train")
    if resume and folder is None:
        raise UserError("nothing to resume from", why="no folder was given")
    device = torch.device(resolve_device(config.device))
    checkpoints = None if folder is None else Checkpoints(folder)
    with ExitStack() as surroundings:
        surroundings.enter_context(random_state_kept(device))
        surroundings.enter_context(deterministic_algorithms(device))
        surroundings.enter_context(on_device(model, device))
        surroundings.enter_context(modes_kept(model))
        if teacher is not None:
            surroundings.enter_context(on_device(teacher, device))
            surroundings.enter_context(modes_kept(teacher))
            teacher.eval()
        check_fit(model, splits, device)
        loop = _Loop(model, splits, config, seed, device, teacher)
        if loop.mixed is not None:
            surroundings.enter_context(loop.mixed.listening())
        if resume and checkpoints is not None:
            loop.restore(checkpoints.load_last(device, loop.settings()))
        try:
            share_state(model)
            writes = loop.team.leads and folder is not None
            scalars = scalar_folder(folder, step_name) if writes and folder is not None else None
            _run_epochs(loop, checkpoints if writes else None, scalars, step_name)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise NetwrightError(
                f"{device} has too little memory for this training",
                why=str(error).partition(". ")[0],
                remedy=f"lower train.batch_size (it is {config.batch_size})",
            ) from error
        loop.take_best_weights()
    return TrainResult(
        history=tuple(loop.history),
        best_epoch=loop.selection.best.epoch,
        stop_reason=loop.selection.stop_reason,
        device=str(device),
        precision=loop.precision,
        best_weights=checkpoints.best_weights if checkpoints and loop.selection.best.epoch else None,
        last_state=checkpoints.last_state if checkpoints and loop.history else None,
    )


def _run_epochs(loop: "_Loop", checkpoints: Checkpoints | None, scalars: Path | None, step_name: str) -> None:
    done = len(loop.history)
    total = max(0, loop.config.epochs - done) * loop.batches.steps
    with (
        current_run().step(step_name, total=total, epochs_done=done) as step,
        scalar_log(scalars, epochs_done=done) as log,
    ):
        while not loop.finished:
            improved = loop.run_epoch(step)
            log(loop.history[-1])
            if checkpoints is None:
                continue
            if improved:
                checkpoints.save_best(loop.model.state_dict())
            if loop.finished or len(loop.history) % loop.config.checkpoint_every == 0:
                checkpoints.save_last(loop.model.state_dict(), loop.state())


class _Loop:
    """A training between two epochs."""

    def __init__(
        self,
        model: nn.Module,
        splits: Splits,
        config: TrainConfig,
        seed: int,
        device: torch.device,
        teacher: nn.Module | None,
    ) -> None:
        self.model = model
        self.splits = splits
        self.config = config
        self.seed = seed
        self.device = device
        self.precision = usable_precision(config.amp, device)
        usual = ("accuracy",) if splits.task == "classification" else ("mse",)
        self.metrics = usual if config.metrics is None else config.metrics
        for name in self.metrics:
            prediction_metric(name)
        self.batches = Batches(
            splits.train, config.batch_size, device, workers=config.workers, num_classes=splits.num_classes
        )
        self.loss = make_loss(config.loss, splits.task, config.label_smoothing)
        self.mixed = self._mixed_loss(teacher)
        self.average = None if config.average_decay is None else WeightAverage(model, config.average_decay)
        self.parts = 1
        self.optimizer = make_optimizer(model, config.optimizer)
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision == "fp16")
        self.guard = FiniteGuard(model, config.max_skipped_steps)
        self.selection = Selection(config, self.metrics)
        self.best_weights: dict[str, Tensor] | None = None
        self.team = current_team()
        self.history: list[EpochRecord] = []

    def _mixed_loss(self, teacher: nn.Module | None) -> MixedLoss | None:
        if self.config.distillation is None:
            return None
        if teacher is None:
            why = "this training has no teacher"
            raise UserError("train.distillation has nobody to learn from", why=why, remedy="leave it out")
        return Distillation(self.config.distillation, self.model, teacher, self.splits.task).mix(self.loss)

    @property
    def finished(self) -> bool:
        return len(self.history) >= self.config.epochs or self.selection.stop_reason == "early stopping"

    def run_epoch(self, step: Step) -> bool:
        """Train for one epoch and validate; True when its weights are the best so far."""
        started = time.perf_counter()
        epoch = len(self.history) + 1
        seed_global_state(derive_seed(self.seed, "epoch", epoch), self.device)
        train_loss, skipped = self._train_epoch(epoch, step)
        with self.average.in_place() if self.average else nullcontext():
            return self._validate(step, started, epoch, train_loss, skipped)

    def _validate(self, step: Step, started: float, epoch: int, train_loss: float, skipped: int) -> bool:
        measured = evaluate(
            self.model,
            self.splits.validation,
            metrics=self.metrics,
            batch_size=self.config.batch_size,
            device=self.device,
            loss=self.config.loss,
            workers=self.config.workers,
        )
        record = EpochRecord(
            epoch=epoch,
            train_loss=train_loss,
            validation_loss=measured.pop("loss"),
            metrics=measured,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            seconds=time.perf_counter() - started,
            skipped_steps=skipped,
        )
        step.advance(0, epoch=epoch, loss=record.validation_loss, **record.metrics)
        self.history.append(record)
        improved = self.selection.take_in(record)
        if improved:
            self.best_weights = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        return improved

    def _train_epoch(self, epoch: int, step: Step) -> tuple[float, int]:
        """Mean training loss, and the number of skipped steps."""
        self.model.train()
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        samples = skipped = 0
        steps_done = (epoch - 1) * self.batches.steps
        for number, (inputs, targets) in enumerate(self.batches.shuffled(generator(self.seed, "order", epoch))):
            self._set_learning_rate(steps_done + number)
            loss = self._train_step(inputs, targets)
            if loss is None:
                skipped += 1
            else:
                total += loss * len(targets)
                samples += len(targets)
            step.advance(1)
        share_state(self.model)  # batch normalisation's statistics, which every process took of its own parts
        if skipped and self.precision != "fp16":  # where overflow is how the loss scale finds its height
            current_run().warn(f"epoch {epoch}: {skipped} of {self.batches.steps} steps were not finite and skipped")
        return (total.item() / samples if samples else float("nan")), skipped

    def _train_step(self, inputs: Tensor, targets: Tensor) -> Tensor | None:
        """The batch's mean loss, after an update; None when loss or gradients are not finite and nothing changed."""
        self.guard.keep()
        mine = self.team.part(len(targets))
        loss = self._leave_gradients(inputs[mine], targets[mine])
        if self.team.size > 1:
            loss = self._joined(loss, len(targets[mine]) / len(targets))
        self.scaler.unscale_(self.optimizer)
        norm = get_total_norm([p.grad for p in self.parameters if p.grad is not None])
        accepted = self.guard.accepts(loss, norm)
        if accepted:
            if self.config.gradient_clip is not None:
                clip_grads_with_norm_(self.parameters, self.config.gradient_clip, norm)
            self.scaler.step(self.optimizer)
            if self.average is not None:
                self.average.update()
        self.scaler.update()
        return loss if accepted else None

    def _joined(self, loss: Tensor, share: float) -> Tensor:
        """The loss and gradients of the whole batch, from those of every process's part."""
        weight = share if share < 1 else 1 / self.team.size
        for parameter in self.parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        found = [loss, *(p.grad for p in self.parameters if p.grad is not None)]
        for tensor in found:
            tensor.mul_(weight)
        add_up(found)
        return loss

    def _leave_gradients(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """The batch's mean loss, with its gradients in the parameters; in smaller parts where memory runs out."""
        while True:
            self.optimizer.zero_grad()
            try:
                return self._accumulate(inputs, targets)
            except Exception as error:
                if not is_out_of_memory(error) or 2 * self.parts > len(targets) // SMALLEST_PART:
                    raise
            self.guard.put_back()
            self.parts *= 2
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            size = -(-self.config.batch_size // self.parts)
            current_run().warn(f"{self.device} ran out of memory: the batch is halved, to {size} samples at a time")

    def _accumulate(self, inputs: Tensor, targets: Tensor) -> Tensor:
        total = torch.zeros((), device=self.device)
        parts = max(1, min(self.parts, len(targets) // SMALLEST_PART))
        for some_inputs, some_targets in zip(inputs.tensor_split(parts), targets.tensor_split(parts), strict=True):
            precision = AUTOCAST_TYPES[self.precision]
            with (
                torch.autocast(self.device.type, dtype=precision, enabled=self.precision != "off"),
                recomputing(self.model, enabled=self.config.gradient_checkpointing),
            ):
                outputs = self.model(some_inputs)
            mixed = self.mixed
            loss = mixed(some_inputs, outputs, some_targets) if mixed else self.loss(outputs, some_targets)
            if parts > 1:
                loss = loss * (len(some_targets) / len(targets))
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            total = total + loss.detach()
        return total

    def _set_learning_rate(self, steps_done: int) -> None:
        scheduler = self.config.scheduler
        fraction = learning_rate_fraction(scheduler, steps_done, self.batches.steps, self.config.epochs)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.optimizer.lr * fraction * self.selection.plateau_fraction

    def take_best_weights(self) -> None:
        """Give the model its best epoch's weights; without one it stays as it is."""
        if self.best_weights is not None:
            self.model.load_state_dict(self.best_weights)

    def settings(self) -> dict[str, Any]:
        """Whatever decides this training's course and may not change when it is resumed."""
        described = {"seed": self.seed, "dataset": self.splits.name, "training samples": self.batches.count}
        return {**described, **self.config.model_dump(mode="json", exclude=set(MAY_CHANGE_ON_RESUME))}

    def state(self) -> State:
        """What `restore` needs: tensors and plain values."""
        return {
            "settings": self.settings(),
            "model": self.model.state_dict(),
            "best_model": self.best_weights,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "selection": self.selection.state(),
            "history": [record.model_dump() for record in self.history],
            "average": self.average.state() if self.average else None,
            "parts": self.parts,
        }

    def restore(self, state: State | None) -> None:
        """Go back to where a checkpoint was written; nothing without one.

        Raises:
            UserError: It is another model's.
        """
        if state is None:
            return
        try:
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise UserError("the checkpoint does not fit this model", why=str(error).splitlines()[0]) from error
        self.best_weights = state["best_model"]
        self.scaler.load_state_dict(state["scaler"])
        self.selection.restore(state["selection"])
        self.history = [EpochRecord(**record) for record in state["history"]]
        self.parts = state.get("parts", 1)
        if self.average is not None:
            self.average.restore(state["average"])
