"""A trial: what a baseline came to on a subject."""

from dataclasses import dataclass
from pathlib import Path

from netwright.result import ErrorRecord
from netwright_pruning.metrics import Figures, MethodReport
from netwright_pruning.subject import Subject


@dataclass(frozen=True)
class Trial:
    """What a baseline came to.

    Attributes:
        report: Without latency, which is measured for all at once.
        model_folder: Where the pruned model is saved.
        errors: What stopped a method before its end that came to something all the same.
    """

    report: MethodReport
    model_folder: Path
    errors: tuple[ErrorRecord, ...] = ()


def figures(parameters: int, macs: int, score: float | None, subject: Subject) -> Figures:
    """A model's figures without latency."""
    if subject.data is None or score is None:
        return Figures(parameters=parameters, macs=macs, not_measured={"accuracy": "the case has no data"})
    if subject.data.score == "mse":
        missing = {"accuracy": "the data has no classes"}
        return Figures(parameters=parameters, macs=macs, mse=score, not_measured=missing)
    return Figures(parameters=parameters, macs=macs, accuracy=score)
