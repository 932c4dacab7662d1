"""Recovery: from a pruned model to the best that refitting and training can make of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from netwright_pruning.agents.config import RecoveryConfig
from netwright_pruning.recalibration import recalibrate
from netwright_pruning.reconstruction import Kept, reconstruct
from netwright_training import EpochRecord, Splits, TrainConfig, train


@dataclass(frozen=True)
class Recovery:
    """What was done.

    Attributes:
        refitted: Layers whose weights were refitted to the unpruned ones' outputs.
        recalibrated: Batch normalisations whose statistics were re-estimated.
        history: The epochs of the fine-tuning.
    """

    refitted: int
    recalibrated: int
    history: tuple[EpochRecord, ...] = ()
    best_epoch: int | None = None


def recover(
    model: nn.Module,
    *,
    original: nn.Module | None,
    kept: Kept | None,
    batches: Sequence[Tensor],
    splits: Splits | None,
    recipe: TrainConfig,
    settings: RecoveryConfig,
    seed: int,
    folder: Path | None = None,
    step_name: str = "fine-tune",
) -> Recovery:
    """Refit, re-estimate and fine-tune `model`, in place.

    Args:
        original: The unpruned model, to refit to and to learn from; None does neither.
        kept: Which channels remain of it; None refits nothing.
        batches: Calibration inputs on the model's device; none leaves refitting and re-estimation out.
        splits: What to train on; None does not train, nor does a recipe of no epochs.
        folder: For checkpoints; a training that was killed goes on there.

    Raises:
        UserError: Recipe, model and data do not fit each other.
        NetwrightError: Training was given up.
    """
    refitted = recalibrated = 0
    if batches and settings.reconstruct and original is not None and kept is not None:
        refitted = reconstruct(original, model, kept, batches)
    if batches:
        recalibrated = recalibrate(model, batches)
    if splits is None or recipe.epochs == 0:
        return Recovery(refitted, recalibrated)
    asked = own_recipe(recipe, settings, teacher=original is not None)
    result = train(
        model,
        splits,
        asked,
        seed=seed,
        folder=folder,
        step_name=step_name,
        resume=folder is not None,
        teacher=original if asked.distillation is not None else None,
    )
    return Recovery(refitted, recalibrated, result.history, result.best_epoch)


def own_recipe(recipe: TrainConfig, settings: RecoveryConfig, *, teacher: bool = True) -> TrainConfig:
    """A recipe with what the settings change of it; the epochs stay.

    Args:
        teacher: Whether there is one to learn from.
    """
    optimizer = recipe.optimizer
    changes = {
        "optimizer": optimizer.model_copy(update={"lr": optimizer.lr * settings.learning_rate_factor}),
        "distillation": settings.distillation if teacher else None,
        "average_decay": settings.average_decay,
    }
    return recipe.model_copy(update={key: value for key, value in changes.items() if value is not None})
