"""Whether a model and a dataset fit each other, checked before anything is trained."""

import torch
from torch import Tensor, nn

from netwright.errors import UserError
from netwright_training.batches import Batches
from netwright_training.splits import Splits, sample_count, take
from netwright_training.surroundings import modes_kept


def check_fit(model: nn.Module, splits: Splits, device: torch.device) -> None:
    """Run the model on two samples, in eval mode.

    Raises:
        UserError: The splits hold too little, the model does not take the inputs, or its outputs do not fit the
            targets.
    """
    for name in ("train", "validation"):
        if sample_count(getattr(splits, name)) == 0:
            raise UserError(f"the {name} split of dataset '{splits.name}' is empty")
    few = take(splits.train, torch.arange(min(2, sample_count(splits.train))))
    inputs, targets = next(Batches(few, 2, device, num_classes=splits.num_classes).in_order())
    with modes_kept(model), torch.no_grad():
        model.eval()
        try:
            outputs = model(inputs)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise UserError(
                f"the model does not take the inputs of dataset '{splits.name}', of shape {tuple(inputs.shape)}",
                why=str(error).splitlines()[0] if str(error) else type(error).__name__,
            ) from error
    check_outputs(outputs, targets)
    if splits.num_classes is not None and outputs.shape[1] != splits.num_classes:
        raise UserError(
            f"the model's head has {outputs.shape[1]} outputs",
            why=f"dataset '{splits.name}' has {splits.num_classes} classes",
            remedy=f"build the model with {splits.num_classes} classes",
        )


def check_outputs(outputs: object, targets: Tensor) -> None:
    """Compare a model's outputs with targets: classes (integers) or numbers.

    Raises:
        UserError: The outputs are no tensor of the right shape, or a class is not among them.
    """
    if not isinstance(outputs, Tensor):
        raise UserError(f"the model returns a {type(outputs).__name__}", why="training needs one tensor")
    if targets.is_floating_point():
        if outputs.shape != targets.shape:
            raise UserError(
                f"the model's outputs have the shape {tuple(outputs.shape)}",
                why=f"the targets of these samples have {tuple(targets.shape)}",
            )
        return
    if outputs.dim() != 2:
        raise UserError(
            f"the model's outputs have the shape {tuple(outputs.shape)}",
            why="scores of classes have the shape (samples, classes)",
        )
    low, high = (int(end) for end in targets.aminmax())
    if low < 0 or high >= outputs.shape[1]:
        raise UserError(
            f"a label is {low if low < 0 else high}", why=f"the model has {outputs.shape[1]} classes, counted from 0"
        )
