"""The plan: what the analyst wants done, step by step, in a form that the engineer carries out and people can read."""

from typing import Literal

from netwright.result import Record

StepKind = Literal["rule", "kernel"]
Risk = Literal["low", "medium", "high"]


class PlanStep(Record):
    """One step: a rewrite rule at one place, or one kernel."""

    id: str
    """Short name, "r1" or "k1"."""
    kind: StepKind
    spec: str
    """The rule's or the kernel template's name."""
    site: str
    """What is rewritten to what, and where."""
    key: str
    """The step's name in every round, whatever its id."""
    target_ops: list[str]
    """The operators that it replaces."""
    flops_removed: int
    """Expected, per call; negative where there are more."""
    bytes_removed: int
    gain_ms: float
    """Expected at least, by the roofline of this machine."""
    risk: Risk
    reason: str
    measured: bool = False
    """Whether it is not always a gain, and only kept where measured faster."""
    compiled: bool = False
    """Whether only a compiler makes it pay."""


class Plan(Record):
    """An ordered list of steps and the ways of executing that are worth a trial."""

    go: bool
    """False: nothing is to be gained, and only the baselines are measured."""
    steps: list[PlanStep]
    executions: list[str]
    reasons: list[str] = []


def risk_of(*, conditions: str, measured: bool) -> Risk:
    """How much can go wrong with a rule: more conditions, more risk."""
    if measured:
        return "medium"
    return "low" if conditions == "any weights" else "medium"
