"""The contract of the baseline group "pruning": what a pruning method must offer."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from netwright_pruning.standalone import StandaloneMethod

if TYPE_CHECKING:
    from netwright.agent import Job
    from netwright_pruning.config import PrunerConfig
    from netwright_pruning.subject import Subject
    from netwright_pruning.trial import Trial

Importance = Callable[[Any], Tensor | None]
"""Scores the channels of a `torch_pruning` group (`group[0]` is the root layer's item and lists its channels): one
number per channel of the root, higher is more important; None for a group that has nothing to score. Any importance of
`torch_pruning.importance` is one."""


class BasePruningMethod(StandaloneMethod):
    """A pruning method: which channels matter least.

    The engine does the rest: it finds the channels that must go together, ranks them by the scores (each group's scores
    relative to their own mean, unless the method says `absolute`), searches for the widths that hit the budget, and
    removes the channels.

    A baseline of group "pruning" targets a subclass; it is built with its options as keyword arguments. Used by itself,
    a method has the steps of `StandaloneMethod`, from `load_model` to `fine_tune_and_evaluate`.

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

    def conduct(
        self,
        name: str,  # noqa: ARG002 - for methods that take the trial into their own hands
        subject: "Subject",  # noqa: ARG002
        job: "Job",  # noqa: ARG002
        config: "PrunerConfig",  # noqa: ARG002
        folder: Path,  # noqa: ARG002
    ) -> "Trial | None":
        """Carry out the whole trial, for a method that does more than score channels; None leaves it to the engine."""
        return None

    def importance(self, *, seed: int) -> Importance:  # noqa: ARG002 - for overriders
        """The function that scores a group's channels; anything random in it derives from `seed`.

        A subclass that does not say gets the sums of squared weights.
        """
        from torch_pruning.pruner.importance import GroupMagnitudeImportance

        return GroupMagnitudeImportance(p=2, normalizer=None)  # type: ignore[arg-type]
