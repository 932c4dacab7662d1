"""Equality: whether a pruned model computes what the unpruned one does without the channels that went."""

import copy
import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from netwright.cases import Inputs, map_tensors
from netwright.cases.seeding import seeded
from netwright.result import Record
from netwright_pruning.groups import Graph, call
from netwright_pruning.masking import COUNTED, MASKED, run_masked
from netwright_pruning.surgery import Fault, Surgeon

TOLERANCE = 1e-6
"""Of the largest difference, relative to the root mean square of the output."""


class Equality(Record):
    """The outcome of a comparison with the unpruned model whose pruned channels are zeroed.

    Normalisations over channels see only those that remain, on both sides.
    """

    verdict: Literal["equal", "not comparable", "different"]
    error: float
    """Largest difference, relative to the root mean square of the output."""
    reason: str = ""
    """Why the two cannot be compared: where the number of channels enters the result."""


def check_equality(
    model: nn.Module, inputs: Inputs, graph: Graph, cuts: Mapping[str, list[int]], *, seed: int
) -> Equality:
    """Compare a model that loses `cuts` with the same model in which these channels are zeroed.

    Both get new weights first wherever theirs could hide a mistake: vectors (biases, scales, statistics) and weights
    that are all alike would let wrong channels pass unnoticed. So this judges the surgery, not the weights; it computes
    in float64, because deep models magnify rounding.

    Args:
        model: Uncut; it is left as it is.
    """
    try:
        return _compare(model, inputs, graph, cuts, seed=seed)
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = " ".join(f"the forward fails: {error}".split())
        insists = "dtype" in reason or "Double" in reason or "Float" in reason  # on a type of its own
        return Equality(verdict="not comparable" if insists else "different", error=float("inf"), reason=reason)


def find_culprits(
    model: nn.Module, inputs: Inputs, graph: Graph, cuts: Mapping[str, list[int]], *, seed: int
) -> list[Fault]:
    """The groups after whose removal, without the others, the model computes something else."""
    faults = []
    for name, channels in _narrow_down(model, inputs, graph, list(cuts.items()), seed):
        equality = check_equality(model, inputs, graph, {name: channels}, seed=seed)
        if equality.verdict == "different":
            away = f"the outputs are {equality.error:.1g} away from those of the model with zeroed channels"
            faults.append(Fault(name, name.partition("[")[0], equality.reason or away))
    return faults


def _narrow_down(
    model: nn.Module, inputs: Inputs, graph: Graph, cuts: list[tuple[str, list[int]]], seed: int
) -> list[tuple[str, list[int]]]:
    """Halve the suspects as long as one half of them is innocent."""
    if len(cuts) < 2:
        return cuts
    middle = len(cuts) // 2
    guilty = [
        half
        for half in (cuts[:middle], cuts[middle:])
        if check_equality(model, inputs, graph, dict(half), seed=seed).verdict == "different"
    ]
    return [found for half in guilty for found in _narrow_down(model, inputs, graph, half, seed)]


def _compare(model: nn.Module, inputs: Inputs, graph: Graph, cuts: Mapping[str, list[int]], *, seed: int) -> Equality:
    inputs = map_tensors(inputs, lambda tensor: tensor.double() if tensor.is_floating_point() else tensor)
    with seeded(seed), torch.no_grad():
        whole = _lively(copy.deepcopy(model).eval()).double()
        surgeon = Surgeon(copy.deepcopy(whole), inputs, graph)
        surgeon.remove_quietly(cuts)
        found = call(surgeon.model, inputs)
        _zero(whole, graph, surgeon.gone)
        looked_at = any(surgeon.gone[reduction.axis].any() for reduction in graph.reductions)
        expected = (
            run_masked(whole, inputs, graph.labels, surgeon.gone, graph.heads) if looked_at else call(whole, inputs)
        )
    error = max((_error(one, other) for one, other in zip(found, expected, strict=True)), default=0.0)
    if error <= TOLERANCE:
        return Equality(verdict="equal", error=error)
    if not math.isfinite(error):
        return Equality(verdict="not comparable", error=error, reason="the outputs are not finite")
    for reduction in graph.reductions:
        masked = reduction.operator in MASKED and reduction.operator not in COUNTED
        if surgeon.gone[reduction.axis].any() and not masked:
            reason = f"'{reduction.module}' takes {reduction.operator} over channels"
            return Equality(verdict="not comparable", error=error, reason=reason)
    return Equality(verdict="different", error=error)


def _error(one: Tensor, other: Tensor) -> float:
    if one.shape != other.shape:
        return float("inf")
    one, other = one.double(), other.double()
    scale = other.square().mean().sqrt().clamp_min(1e-12)
    return float((one - other).abs().amax() / scale) if one.numel() else 0.0


def _lively(model: nn.Module) -> nn.Module:
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if not tensor.is_floating_point():
            continue
        if name.endswith("running_var"):
            tensor.copy_(torch.rand_like(tensor) + 0.5)
        elif tensor.dim() <= 1 and isinstance(tensor, nn.Parameter):
            tensor.copy_(1 + 0.3 * torch.randn_like(tensor))
        elif tensor.numel() > 1 and bool((tensor == tensor.flatten()[0]).all()):
            tensor.copy_(0.3 * torch.randn_like(tensor))
    return model


def _zero(model: nn.Module, graph: Graph, gone: Any) -> None:
    """Zero what went."""
    for name, axes in graph.weights.items():
        owner, _, leaf = name.rpartition(".")
        tensor: Tensor = getattr(model.get_submodule(owner), leaf)
        for dim, axis in enumerate(axes):
            lost = np.flatnonzero(gone[axis])
            if len(lost):
                tensor.index_fill_(dim, torch.from_numpy(lost).to(tensor.device), 0)
