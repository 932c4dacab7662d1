"""The decisions that the pruner takes, as the run's log keeps them."""

from collections.abc import Sequence
from typing import Any

from netwright.context import current_run
from netwright.files import content_key


def record_decision(question: str, answer: Any, *, reasons: Sequence[str], inputs: Any) -> None:
    """Log a decision taken by rule; nothing outside a run.

    Args:
        question: What was to be decided.
        answer: What was decided, JSON values.
        reasons: Why, one line each.
        inputs: All that the decision rests on, JSON values; only their hash is kept.
    """
    folder = current_run().folder
    if folder is not None:
        folder.decision(
            {
                "question": question,
                "answer": answer,
                "taken_by": "rule",
                "reasons": list(reasons),
                "inputs_hash": content_key(inputs),
            }
        )
