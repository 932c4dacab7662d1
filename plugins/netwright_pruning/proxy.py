"""The proxy: what a model is worth on a held slice of the training split, without training, validation or test."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import default_collate

from netwright.cases import Inputs
from netwright_pruning.agents.records import ProxyScore
from netwright_pruning.groups import call
from netwright_training.seeds import generator
from netwright_training.splits import Samples, sample_count, take
from netwright_training.surroundings import modes_kept

BATCH = 64


@dataclass(frozen=True)
class Proxy:
    """Samples that models are compared on; without data, the unpruned model's outputs on a case's own inputs.

    Attributes:
        samples: Pairs of inputs and targets on the model's device, in batches; empty without data.
        inputs: The arguments of one forward.
        reference: What the unpruned model puts out on them.
    """

    samples: Sequence[tuple[Tensor, Tensor]]
    inputs: Inputs
    reference: Sequence[Tensor]

    def score(self, model: nn.Module) -> ProxyScore:
        """The model's worth, in eval mode."""
        with modes_kept(model), torch.no_grad():
            model.eval()
            if not self.samples:
                return ProxyScore(loss=_distance(call(model, self.inputs), self.reference))
            outputs = torch.cat([model(inputs).float() for inputs, _ in self.samples])
        targets = torch.cat([targets for _, targets in self.samples])
        if targets.is_floating_point():
            return ProxyScore(loss=F.mse_loss(outputs, targets).item())
        right = (outputs.argmax(1) == targets).double().mean().item()
        return ProxyScore(score=right, loss=F.cross_entropy(outputs, targets).item())


def hold_out(train: Samples, held: int, *, seed: int) -> tuple[Samples, Samples]:
    """Divide a training split by lot: what may be fitted on, and the held slice.

    Args:
        held: The size of the slice; of a small split, half of it.
    """
    order = torch.randperm(sample_count(train), generator=generator(seed, "held slice"))
    size = min(held, len(order) // 2)
    return take(train, order[size:].sort().values), take(train, order[:size].sort().values)


def make_proxy(model: nn.Module, inputs: Inputs, held: Samples | None) -> Proxy:
    """A proxy for pruned copies of `model`.

    Args:
        inputs: The arguments of one forward.
        held: The held slice; None without data.
    """
    device = next(model.parameters()).device
    samples: list[tuple[Tensor, Tensor]] = []
    if held is not None:
        indices = range(sample_count(held))
        for start in range(0, len(indices), BATCH):
            some, targets = default_collate([held[index] for index in indices[start : start + BATCH]])
            samples.append((some.to(device), targets.to(device)))
    with modes_kept(model), torch.no_grad():
        model.eval()
        reference = [] if samples else [output.detach() for output in call(model, inputs)]
    return Proxy(samples, inputs, reference)


def _distance(outputs: Sequence[Tensor], reference: Sequence[Tensor]) -> float:
    """Squared distance over the reference's squared length, all outputs together."""
    difference = sum(
        float((ours - theirs).double().square().sum()) for ours, theirs in zip(outputs, reference, strict=True)
    )
    length = sum(float(theirs.double().square().sum()) for theirs in reference)
    return difference / max(length, 1e-30)
