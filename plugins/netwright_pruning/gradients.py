"""Gradients for importance estimators that read them."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from netwright.cases import Inputs
from netwright_pruning.groups import call
from netwright_training.recomputation import recomputing

Batch = tuple[Tensor, Tensor]
"""Inputs, shape (batch, ...), and their targets: int64 classes, or numbers of the output's shape."""

PROJECTIONS = 8
LABEL_SMOOTHING = 0.1


def leave_gradients(
    model: nn.Module, inputs: Inputs, batches: Iterable[Batch] | None, *, seed: int, squared: bool = False
) -> None:
    """Set every parameter's `grad` to the root mean square of its gradient over batches, in eval mode.

    On a model that fits its data the gradients vanish, and what is left says little about its channels. Hence squares
    are averaged, which cannot cancel out (Molchanov et al., CVPR 2019, average squares too), and the targets of a
    classification are smoothed, so that samples that the model is sure of count as well.

    Args:
        inputs: The arguments of one forward call, used when there are no batches.
        batches: What to differentiate the loss on. None takes random projections of the output on `inputs` in place of
            a loss: their mean square is the diagonal of the output's squared Jacobian, which needs no targets.
        seed: Determines the projections.
        squared: Leave the mean square instead.
    """
    model.eval()
    squares = {parameter: torch.zeros_like(parameter) for parameter in model.parameters() if parameter.requires_grad}
    count = 0
    with recomputing(model):
        for loss in _losses(model, inputs, batches, seed):
            model.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            count += 1
            for parameter, square in squares.items():
                if parameter.grad is not None:
                    square.add_(parameter.grad.detach() ** 2)
    for parameter, square in squares.items():
        mean = square / max(count, 1)
        parameter.grad = mean if squared else mean.sqrt()


def _losses(model: nn.Module, inputs: Inputs, batches: Iterable[Batch] | None, seed: int) -> Iterable[Tensor]:
    if batches is not None:
        for samples, targets in batches:
            outputs = model(samples)
            if targets.is_floating_point():
                yield F.mse_loss(outputs, targets)
            else:
                yield F.cross_entropy(outputs, targets, label_smoothing=LABEL_SMOOTHING)
        return
    generator = torch.Generator().manual_seed(seed)
    for _ in range(PROJECTIONS):
        outputs = [output for output in call(model, inputs) if output.requires_grad]
        noise = [torch.randn(output.shape, generator=generator).to(output) for output in outputs]
        yield torch.stack([(output * random).sum() for output, random in zip(outputs, noise, strict=True)]).sum()
