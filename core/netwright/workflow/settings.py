"""How far a workflow may go: its budgets, and whether a person is asked before the nodes that want it."""

from typing import Literal, Self

from pydantic import Field

from netwright.config import Config

Approval = Literal["ask", "auto"]


class Budgets(Config):
    """Limits that apply together, checked between nodes: a node that has begun ends. Null is no limit."""

    steps: int | None = Field(default=None, ge=0)
    """How many nodes may run, over all parts of a resumed run."""
    seconds: float | None = Field(default=None, ge=0)
    """Wall time in s, over all parts of a resumed run; waiting for a person is not counted."""
    money: float | None = Field(default=None, ge=0)
    """What may be spent, in the unit of the ledger that counts it (US dollars for language models)."""

    def within(self, other: Self) -> Self:
        """The tighter of both limits, one by one."""
        limits = {name: [getattr(budgets, name) for budgets in (self, other)] for name in type(self).model_fields}
        given = {name: [value for value in values if value is not None] for name, values in limits.items()}
        return type(self)(**{name: min(values, default=None) for name, values in given.items()})


class WorkflowSettings(Config):
    """The node `workflow` of a job's configuration; it decides how far a run goes, not what it does."""

    budgets: Budgets = Budgets()
    approve: Approval = "auto"
    """Before nodes that want approval: ask a person, or go on. Without a terminal, asking stops the run."""
