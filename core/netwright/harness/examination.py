"""The examination: how closely a variant is looked at, and what the named checks said of it."""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from netwright.cases import Distribution
from netwright.config import Config
from netwright.harness.protocol import Draw
from netwright.result import Record

Outcome = Literal["passed", "failed", "skipped"]


class VerificationConfig(Config):
    """How closely to look at what a variant computes."""

    input_seeds: int = Field(default=3, ge=1)
    """Draws of inputs from the case's own distribution."""
    weight_seeds: int = Field(default=2, ge=1)
    """Draws of weights; all but the first are perturbed, so that no bias is zero and no statistic trivial. A variant is
    loaded (and compiled) anew for each."""
    distributions: tuple[Distribution, ...] = ("uniform", "large", "small", "sparse")
    """Further distributions of inputs, one draw each."""
    special: tuple[Literal["nan", "inf"], ...] = ("nan", "inf")
    """Values put into one element of every floating-point input, one draw each."""
    strided: bool = True
    """Whether to hand over inputs with gaps between their elements once; compilers compile anew for it."""


class CheckResult(Record):
    """The outcome of one named check."""

    name: str
    outcome: Outcome
    reason: str = ""
    """Why it failed or was skipped."""


@dataclass
class Examination:
    """What the checks said of one variant; the first complaint of each stays."""

    label: str
    results: dict[str, CheckResult] = field(default_factory=dict)
    draws: list[Draw] = field(default_factory=list)
    """What it was called on so far."""

    def note(self, name: str, reason: str | None) -> None:
        """Record that a check passed (no reason) or failed."""
        if not self.has_failed(name):
            self.results[name] = CheckResult(name=name, outcome="failed" if reason else "passed", reason=reason or "")

    def skip(self, name: str, reason: str) -> None:
        """Record that a check could not be made, unless it was."""
        self.results.setdefault(name, CheckResult(name=name, outcome="skipped", reason=reason))

    def has_failed(self, name: str) -> bool:
        """Whether a complaint is recorded under that name."""
        return name in self.results and self.results[name].outcome == "failed"

    @property
    def checks(self) -> tuple[CheckResult, ...]:
        """All outcomes, in the order in which the checks were first made."""
        return tuple(self.results.values())

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The failed ones."""
        return tuple(result for result in self.checks if result.outcome == "failed")

    @property
    def correct(self) -> bool:
        """Whether accuracy was judged and nothing failed."""
        accuracy = self.results.get("accuracy")
        return accuracy is not None and accuracy.outcome == "passed" and not self.failed
