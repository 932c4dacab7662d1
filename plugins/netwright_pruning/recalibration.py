"""Re-estimation of batch normalisation's statistics, which pruning leaves wrong."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def recalibrate(model: nn.Module, batches: Iterable[Tensor]) -> int:
    """Replace the running means and variances by their averages over batches, in place; nothing else changes.

    Every batch counts the same, as in Wu and Johnson, "Rethinking 'Batch' in BatchNorm", 2021 (section 3). Only batch
    normalisations are in training mode meanwhile; equal batches give equal statistics.

    Args:
        batches: Model inputs, shape (batch, ...), batch at least 2, on the model's device.

    Returns:
        How many normalisations were re-estimated; 0 for a model without, for which no batch is looked at.
    """
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    if not norms:
        return 0
    with _averaging(model, norms), torch.no_grad():
        for batch in batches:
            model(batch)
    return len(norms)


@contextmanager
def _averaging(model: nn.Module, norms: list[_BatchNorm]) -> Iterator[None]:
    """Inside the block, `norms` average from scratch; afterwards, all modes and momenta are as before."""
    modes = {module: module.training for module in model.modules()}
    momenta = [norm.momentum for norm in norms]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average
        norm.train()
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, training in modes.items():
            module.training = training
