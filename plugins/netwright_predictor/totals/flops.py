"""FLOPs: what each module computes in a phase, under a convention."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import nn
from transformers.modeling_layers import GradientCheckpointingLayer

from netwright_predictor.analysis import ModuleCost
from netwright_predictor.analyzers.analyzer import Analyzer
from netwright_predictor.analyzers.attention import AttentionAnalyzer
from netwright_predictor.totals.conventions import Convention


@dataclass(frozen=True)
class ModuleFlops:
    """Operations of one module itself, without its children.

    Attributes:
        forward: Of matrix products, convolutions and attention.
        backward: The same for its gradients.
        other: Of everything else, forward.
    """

    forward: int = 0
    backward: int = 0
    other: int = 0

    def counted(self, convention: Convention) -> tuple[int, int]:
        """Forward and backward by the convention's choice of operations and unit.

        The derivatives of the other operations cost about as much as they do, and are counted so.
        """
        if convention.operations == "all":
            return self.forward + self.other, self.backward + self.other
        return (self.forward, self.backward) if convention.unit == "FLOP" else (self.forward // 2, self.backward // 2)


def module_flops(
    cost: ModuleCost, sizes: Mapping[str, int], convention: Convention, *, is_head: bool = False
) -> ModuleFlops:
    """What a module computes itself at `sizes`.

    Args:
        is_head: Whether it turns hidden states into the model's scores, so that the convention may spare positions.
    """
    forward = backward = other = 0
    positions = sizes["S"] if is_head and convention.head == "last" else 1
    for call in cost.calls:
        parameters = call.at(sizes)
        analyzer = by_convention(call.analyzer, convention)
        forward += analyzer.compute_flops(**parameters) // positions
        backward += analyzer.compute_backward_flops(**parameters) // positions
        other += analyzer.compute_other_operations(**parameters) // positions
    return ModuleFlops(forward, backward, other)


def by_convention(analyzer: Analyzer, convention: Convention) -> Analyzer:
    """The analyzer that counts the convention's pairs of query and key; the same one where there are none."""
    if isinstance(analyzer, AttentionAnalyzer):
        return replace(analyzer, convention=convention.attention)
    return analyzer


def find_head(model: nn.Module) -> str | None:
    """The path of the module that turns hidden states into scores, or None where there is none."""
    getter = getattr(model, "get_output_embeddings", None)
    head = getter() if getter is not None else None
    return next((path for path, module in model.named_modules() if module is head), None) if head is not None else None


def checkpointed(model: nn.Module) -> frozenset[str]:
    """Paths of all modules inside of the layers that transformers can checkpoint: their forward runs twice.

    It counts in full; torch's early stop spares what comes after the last tensor that the backward pass needs.
    """
    layers = [path for path, module in model.named_modules() if isinstance(module, GradientCheckpointingLayer)]
    inside = tuple(f"{layer}." for layer in layers)
    return frozenset({*layers, *(path for path, _ in model.named_modules() if path.startswith(inside))})
