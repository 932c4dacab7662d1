"""Distillation: a model learns from another one's outputs and features beside the targets."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from netwright.errors import UserError, unknown_name
from netwright_training.config import DistillationConfig, Task
from netwright_training.losses import Loss


class Distillation:
    """The part of the loss that comes from a teacher.

    On outputs it is the Kullback-Leibler divergence between the softened distributions of teacher and student, times
    the squared temperature (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015), or the mean squared
    error for a regression. On features it is the mean squared difference of the two batch-by-batch similarity
    matrices (Tung and Mori, "Similarity-Preserving Knowledge Distillation", ICCV 2019), which need no equal widths.

    Args:
        teacher: In eval mode, on the student's device; nothing of it changes.

    Raises:
        UserError: A layer whose features are to be compared is not in both models, or there is none to compare.
    """

    def __init__(self, config: DistillationConfig, student: nn.Module, teacher: nn.Module, task: Task) -> None:
        self.config = config
        self.task = task
        self.student = student
        self.teacher = teacher
        self.layers = _layers(config, student, teacher) if config.features else ()

    def mix(self, loss: Loss) -> "MixedLoss":
        """`loss` and the teacher's part as one; enter `MixedLoss.listening` around the forwards."""
        return MixedLoss(self, loss)


class MixedLoss:
    """A function `(inputs, outputs, targets)` that gives a batch's loss with the teacher's part in it."""

    def __init__(self, distillation: Distillation, loss: Loss) -> None:
        self._distillation = distillation
        self._loss = loss
        self._seen: dict[str, Tensor] = {}

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Inside the block, the student's features are kept from one forward to the next."""
        layers = self._distillation.layers
        with _features(self._distillation.student, layers, self._seen):
            yield
        self._seen.clear()

    def __call__(self, inputs: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
        """The batch's mean loss."""
        config = self._distillation.config
        wanted: dict[str, Tensor] = {}
        with torch.no_grad(), _features(self._distillation.teacher, self._distillation.layers, wanted):
            taught = self._distillation.teacher(inputs)
        from_outputs = output_distance(outputs, taught, self._distillation.task, config.temperature)
        loss = (1 - config.weight) * self._loss(outputs, targets) + config.weight * from_outputs
        for layer, features in wanted.items():
            loss = loss + config.features * similarity_distance(self._seen[layer], features)
        return loss


def output_distance(outputs: Tensor, taught: Tensor, task: Task, temperature: float) -> Tensor:
    """How far a student's outputs are from its teacher's, shape (batch, ...): the mean over the batch."""
    outputs, taught = outputs.float(), taught.float()
    if task == "regression":
        return F.mse_loss(outputs, taught)
    student, teacher = (F.log_softmax(logits / temperature, dim=1) for logits in (outputs, taught))
    return F.kl_div(student, teacher, reduction="batchmean", log_target=True) * temperature**2


def similarity_distance(features: Tensor, taught: Tensor) -> Tensor:
    """How differently two models see which samples of a batch are alike; features have shape (batch, ...)."""
    return F.mse_loss(_similarities(features), _similarities(taught)) * len(features)


def _similarities(features: Tensor) -> Tensor:
    """Inner products of all pairs of samples, rows of length 1, shape (batch, batch)."""
    flat = features.float().flatten(1)
    return F.normalize(flat @ flat.T, dim=1)


def _layers(config: DistillationConfig, student: nn.Module, teacher: nn.Module) -> tuple[str, ...]:
    both = dict(student.named_modules()).keys() & dict(teacher.named_modules()).keys() - {""}
    if config.layers is not None:
        for layer in config.layers:
            if layer not in both:
                raise unknown_name("layer in train.distillation.layers", layer, both)
        return config.layers
    children = tuple(name for name, _ in student.named_children() if name in both)[:-1]
    if not children:
        why = "the model has no parts before its last one"
        raise UserError("no features to distil", why=why, remedy="name them: train.distillation.layers=[...]")
    return children


@contextmanager
def _features(model: nn.Module, layers: Sequence[str], kept: dict[str, Tensor]) -> Iterator[None]:
    """Inside the block, what `layers` put out is kept by name; what is no tensor is left out."""

    def keep(layer: str, _module: nn.Module, _inputs: Any, outputs: Any) -> None:
        if isinstance(outputs, Tensor):
            kept[layer] = outputs

    handles = [model.get_submodule(layer).register_forward_hook(partial(keep, layer)) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
