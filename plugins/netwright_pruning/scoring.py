"""Scoring: what the engine asks of a method, which is how much each channel matters."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

Importance = Callable[[Any], Tensor | None]
"""Scores the channels of a `torch_pruning` group (`group[0]` is the root layer's item and lists its channels): one
number per channel of the root, higher is more important; None for a group that has nothing to score. Any importance of
`torch_pruning.importance` is one."""


class ScoringMethod:
    """Which channels matter least.

    Attributes:
        needs_gradients: Whether `importance` reads the `grad` of the group's parameters. The engine then leaves there,
            for every parameter, the root mean square of its gradient over calibration batches.
        squared_gradients: Whether it wants their mean squares instead.
        needs_activations: Whether `importance` reads activations. The engine then leaves, on every linear layer and
            convolution, an attribute `input_rms`: the root mean square of each input channel over calibration batches.
        isomorphic: Whether only groups of equal structure are ranked against each other (Fang et al., "Isomorphic
            Pruning for Vision Models", ECCV 2024) rather than all groups of the model.
        absolute: Whether scores of different groups are comparable as they are, and are not set in relation to their
            group's mean.
    """

    needs_gradients: bool = False
    squared_gradients: bool = False
    needs_activations: bool = False
    isomorphic: bool = False
    absolute: bool = False

    def importance(self, *, seed: int) -> Importance:  # noqa: ARG002 - for overriders
        """The function that scores a group's channels; anything random in it derives from `seed`.

        A subclass that does not say gets the sums of squared weights.
        """
        from torch_pruning.pruner.importance import GroupMagnitudeImportance

        return GroupMagnitudeImportance(p=2, normalizer=None)  # type: ignore[arg-type]
