"""The examination: how closely a variant is looked at, and what the named checks said of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from netwright.cases import Distribution
from netwright.config import Config
from netwright.harness.protocol import Draw
from netwright.result import Record

if TYPE_CHECKING:
    from torch import Tensor

Outcome = Literal["passed", "failed", "skipped"]


class VerificationConfig(Config):
    """How closely to look at what a variant computes."""

    source: bool = True
    """Whether to read a candidate's file before it is run, and reject what it has no business with."""
    imports: tuple[str, ...] = ()
    """Packages, or parts such as torch.utils.cpp_extension, that its source may use beside the usual ones."""
    input_seeds: int = Field(default=3, ge=1)
    """Draws of inputs from the case's own distribution; all but the first from secret seeds."""
    weight_seeds: int = Field(default=2, ge=1)
    """Draws of weights; all but the first are perturbed, so that no bias is zero and no statistic trivial. A variant is
    loaded (and compiled) anew for each."""
    other_batch: bool = True
    """Whether the last of the other weights come with another batch size, where the case takes one."""
    distributions: tuple[Distribution, ...] = ("uniform", "large", "small", "sparse")
    """Further distributions of inputs, one draw each."""
    special: tuple[Literal["nan", "inf"], ...] = ("nan", "inf")
    """Values put into one element of every floating-point input, one draw each."""
    strided: bool = True
    """Whether to hand over inputs with gaps between their elements once; compilers compile anew for it."""
    every_failure: bool = True
    """Whether to go on after a check failed, so that every check that fails is named."""


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
    first: dict[str, Tensor] = field(default_factory=dict)
    """What the first call returned and changed."""

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
