"""One run of a validation: a target, a method and a seed, and how near to what was published it came."""

from typing import Any

from netwright.result import Result
from netwright_pruning.record import SubscriptableRecord
from netwright_pruning.validation.targets import PaperTarget

MACS_TOLERANCE = 0.01
PARAMETERS_TOLERANCE = 0.05
ACCURACY_TOLERANCE = 0.005
"""How far from the published figure counts as reached: relative, relative, and in top-1."""


class ValidationRun(SubscriptableRecord):
    """What a run came to."""

    target: str
    method: str
    seed: int
    weights: str
    """"published", or "drawn" where those could not be had: structure alone is then judged."""
    macs: int | None = None
    parameters: int | None = None
    params_reduction: float | None = None
    macs_reduction: float | None = None
    macs_error: float | None = None
    """Relative to the published figure."""
    parameters_error: float | None = None
    """Relative to the published figure, at the published MACs."""
    accuracy: float | None = None
    accuracy_difference: float | None = None
    """Less the published one."""
    not_measured: str | None = None
    """Why there is no accuracy."""
    iterations: int | None = None
    minutes: float | None = None
    error: str | None = None
    """Why the run came to nothing."""

    @property
    def structure_reached(self) -> bool:
        """Whether MACs and parameters are those that were published."""
        return (
            self.macs_error is not None
            and self.parameters_error is not None
            and abs(self.macs_error) <= MACS_TOLERANCE
            and abs(self.parameters_error) <= PARAMETERS_TOLERANCE
        )

    @property
    def accuracy_reached(self) -> bool | None:
        """Whether the accuracy is at least the published one; None where it was not measured."""
        return None if self.accuracy_difference is None else self.accuracy_difference >= -ACCURACY_TOLERANCE

    @property
    def success(self) -> bool:
        """Whether all that was measured is as published."""
        return self.error is None and self.structure_reached and self.accuracy_reached is not False

    def as_dict(self) -> dict[str, Any]:
        """All fields, with the verdicts."""
        verdicts = {"structure_reached": self.structure_reached, "accuracy_reached": self.accuracy_reached}
        return {**self.model_dump(mode="json"), **verdicts, "success": self.success}


def describe_run(
    result: Result, target: PaperTarget, method: str, *, seed: int, weights: str, not_measured: str | None
) -> ValidationRun:
    """A run of the agent `pruner` set against its target.

    Args:
        not_measured: Why its accuracy does not count; None where it does.
    """
    report = next(report for report in result.metrics["methods"] if report["label"] == method)
    before, after = result.metrics["before"], report["after"]
    accuracy = None if not_measured else after["accuracy"]
    return ValidationRun(
        target=target.name,
        method=method,
        seed=seed,
        weights=weights,
        macs=after["macs"],
        parameters=after["parameters"],
        params_reduction=1 - after["parameters"] / before["parameters"],
        macs_reduction=1 - after["macs"] / before["macs"],
        macs_error=after["macs"] / target.macs - 1,
        parameters_error=after["parameters"] / target.parameters - 1,
        accuracy=accuracy,
        accuracy_difference=None if accuracy is None else accuracy - target.top_1,
        not_measured=not_measured,
        iterations=report.get("iterations") or 1,
        minutes=result.duration_s / 60,
    )
