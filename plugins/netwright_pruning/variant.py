"""A saved pruned model as a variant of its case, for the harness."""

from pathlib import Path

from torch import nn

from netwright_pruning.saved import load_pruned


def load(module: nn.Module, *, folder: str) -> nn.Module:
    """The pruned model in `folder`, on the device and in the mode of the case's module."""
    device = next(module.parameters()).device
    return load_pruned(Path(folder), device=device).train(module.training)
