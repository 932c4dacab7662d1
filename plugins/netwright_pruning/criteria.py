"""Criteria: how the channels of a group are scored.

Estimators of torch-pruning do it wherever they do the job. They come without their normalisers: the engine has its own,
which survives groups of zeros.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch_pruning.pruner import function
from torch_pruning.pruner import importance as estimators

from netwright_pruning.config import Reduction
from netwright_pruning.groups import Group
from netwright_pruning.scoring import Importance

OUTWARDS = (function.prune_conv_out_channels, function.prune_linear_out_channels)
INWARDS = (function.prune_conv_in_channels, function.prune_linear_in_channels)


def magnitude(power: int, reduction: Reduction = "mean") -> Importance:
    """Sums of absolute (1) or squared (2) weights of each layer, reduced over the group's layers."""
    return estimators.GroupMagnitudeImportance(p=power, group_reduction=reduction, normalizer=None)  # type: ignore[arg-type]


def taylor(reduction: Reduction = "mean") -> Importance:
    """Sums of |weight x gradient|."""
    return estimators.GroupTaylorImportance(group_reduction=reduction, normalizer=None)  # type: ignore[arg-type]


def hessian(reduction: Reduction = "mean") -> Importance:
    """Sums of weight² x gradient², where `grad` holds mean squares of gradients: the Hessian's diagonal, as Fisher's
    information estimates it (LeCun et al., "Optimal Brain Damage", 1990, with the diagonal of Theis et al., 2018).
    """
    return estimators.GroupHessianImportance(group_reduction=reduction, normalizer=None)  # type: ignore[arg-type]


def batch_norm_scale() -> Importance:
    """Absolute scales of batch normalisation (Liu et al., "Network Slimming", ICCV 2017); None for a group without."""
    return estimators.BNScaleImportance(normalizer=None)  # type: ignore[no-untyped-call]


def random(seed: int) -> Importance:
    """Uniform scores from a generator of its own."""
    generator = torch.Generator().manual_seed(seed)

    def score(group: Group) -> Tensor:
        return torch.rand(len(group[0].idxs), generator=generator)

    return score


def lamp() -> Importance:
    """Squared weights in relation to all larger ones of their layer (Lee et al., "Layer-Adaptive Sparsity", ICLR 2021,
    equation 1), so that scores of different layers compare.
    """
    squares = magnitude(2)

    def score(group: Group) -> Tensor | None:
        found = squares(group)
        if found is None:
            return None
        order = found.argsort(descending=True)
        at_least_as_large = found[order].double().cumsum(0)
        adaptive = torch.zeros_like(at_least_as_large)
        adaptive[order] = found[order].double() / at_least_as_large.clamp_min(torch.finfo(torch.float64).tiny)
        return adaptive.to(found.dtype)

    return score


def geometric_median() -> Importance:
    """Distances of a filter to all others of its layer: the one nearest to them all is the one that they can replace
    (He et al., "Filter Pruning via Geometric Median", CVPR 2019, equation 4).

    torch-pruning's estimator takes distances of squared weights, along inputs as well.
    """

    def distances(layer: nn.Module, channels: list[int]) -> Tensor:
        weight = layer.get_parameter("weight").detach()
        rows = (weight.transpose(0, 1) if getattr(layer, "transposed", False) else weight)[channels].flatten(1)
        return torch.cdist(rows[None], rows[None])[0].sum(1)

    return _mean_over(OUTWARDS, distances)


def activation() -> Importance:
    """What a channel brings to the layers that read it: the root mean square of its values times the norm of the
    weights that they meet there (Sun et al., "A Simple and Effective Pruning Approach", ICLR 2024, over channels).
    """

    def contribution(layer: nn.Module, channels: list[int]) -> Tensor | None:
        inputs = getattr(layer, "input_rms", None)
        if inputs is None:
            return None
        weight = layer.get_parameter("weight").detach()
        columns = (weight if getattr(layer, "transposed", False) else weight.transpose(0, 1)).flatten(1)
        norms = columns.norm(dim=1).repeat(len(inputs) // len(columns))
        contributed: Tensor = norms[channels] * inputs[channels]
        return contributed

    return _mean_over(INWARDS, contribution)


def _mean_over(kinds: tuple[Any, ...], score: Callable[[nn.Module, list[int]], Tensor | None]) -> Importance:
    """Per channel of the root, the mean of what the group's layers of some kinds say; None where there is none."""

    def importance(group: Group) -> Tensor | None:
        total = torch.zeros(len(group[0].idxs), dtype=torch.float64)
        count = 0
        for item in group:
            found = score(item.dep.layer, item.idxs) if item.dep.pruning_fn in kinds else None
            if found is not None:
                total.index_add_(0, torch.tensor(item.root_idxs), found.double().cpu())
                count += 1
        return total / count if count else None

    return importance
