"""Activations for importance estimators that read them."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from netwright.cases import Inputs
from netwright_pruning.gradients import Batch
from netwright_pruning.groups import call
from netwright_pruning.members import is_transposed_linear


def leave_activations(model: nn.Module, inputs: Inputs, batches: Iterable[Batch] | None) -> None:
    """Give every linear layer and convolution an attribute `input_rms`, shape (channels,).

    It holds the root mean square of each input channel over all samples and places, in eval mode.

    Args:
        inputs: The arguments of one forward call, used when there are no batches.
    """
    model.eval()
    sums: dict[nn.Module, tuple[Tensor, int]] = {}
    handles = [
        module.register_forward_pre_hook(partial(_add, sums, 1 if isinstance(module, _ConvNd) else -1))
        for module in model.modules()
        if isinstance(module, (nn.Linear, _ConvNd)) or is_transposed_linear(module)
    ]
    try:
        with torch.no_grad():
            if batches is None:
                call(model, inputs)
            for samples, _ in batches or ():
                model(samples)
    finally:
        for handle in handles:
            handle.remove()
    for module, (total, count) in sums.items():
        vars(module)["input_rms"] = (total / count).sqrt()


def _add(sums: dict[nn.Module, tuple[Tensor, int]], dim: int, module: nn.Module, args: tuple[Any, ...]) -> None:
    x = args[0].detach().double().movedim(dim, 0).flatten(1)
    total, count = sums.get(module, (torch.zeros(len(x), dtype=torch.float64, device=x.device), 0))
    sums[module] = (total + x.square().sum(1), count + x.shape[1])
