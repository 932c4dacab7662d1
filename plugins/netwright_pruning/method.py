"""The contract of the baseline group "pruning": what a pruning method must offer."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from torch import Tensor

Importance = Callable[[Any], Tensor | None]
"""Scores the channels of a `torch_pruning` group (`group[0]` is the root layer's item and lists its channels): one
number per channel of the root, higher is more important; None for a group that has nothing to score. Any importance of
`torch_pruning.importance` is one."""


class BasePruningMethod(ABC):
    """A pruning method: which channels matter least.

    The engine does the rest: it finds the channels that must go together, ranks them by the scores (each group's scores
    relative to their own mean, unless the method says `absolute`), searches for the widths that hit the budget, and
    removes the channels.

    A baseline of group "pruning" targets a subclass; it is built with its options as keyword arguments.

    Attributes:
        needs_gradients: Whether `importance` reads the `grad` of the group's parameters. The engine then leaves there,
            for every parameter, the root mean square of its gradient over calibration batches.
        isomorphic: Whether only groups of equal structure are ranked against each other (Fang et al., "Isomorphic
            Pruning for Vision Models", ECCV 2024) rather than all groups of the model.
        absolute: Whether scores of different groups are comparable as they are, and are not set in relation to their
            group's mean.
    """

    needs_gradients: bool = False
    isomorphic: bool = False
    absolute: bool = False

    @abstractmethod
    def importance(self, *, seed: int) -> Importance:
        """The function that scores a group's channels; anything random in it derives from `seed`."""
