"""The contract of the baseline group "pruning": what a pruning method must offer."""

from pathlib import Path
from typing import TYPE_CHECKING

from netwright_pruning.scoring import Importance
from netwright_pruning.standalone import StandaloneMethod

if TYPE_CHECKING:
    from netwright.agent import Job
    from netwright_pruning.config import PrunerConfig
    from netwright_pruning.subject import Subject
    from netwright_pruning.trial import Trial

__all__ = ["BasePruningMethod", "Importance"]


class BasePruningMethod(StandaloneMethod):
    """A pruning method: which channels matter least.

    The engine does the rest: it finds the channels that must go together, ranks them by the scores (each group's scores
    relative to their own mean, unless the method says `absolute`), searches for the widths that hit the budget, and
    removes the channels.

    A baseline of group "pruning" targets a subclass; it is built with its options as keyword arguments. It says how
    channels are scored (`ScoringMethod`); used by itself, it has the steps of `StandaloneMethod`, from `load_model` to
    `fine_tune_and_evaluate`.
    """

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
