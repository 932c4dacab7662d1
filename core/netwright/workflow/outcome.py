"""How a workflow ended: its last state, and why it stopped if it did."""

from dataclasses import dataclass
from typing import Generic, Literal

from netwright.result import ErrorRecord
from netwright.workflow.graph import StateT

StopReason = Literal["steps", "seconds", "money", "loop", "approval", "declined"]


@dataclass(frozen=True)
class WorkflowResult(Generic[StateT]):
    """What `Workflow.run` returns.

    Attributes:
        workflow: Its name.
        state: The state when it ended or stopped.
        stopped: None when it reached its end, else what stopped it: a budget (`steps`, `seconds`, `money`), a `loop`
            whose state repeats itself, a node that waits for `approval`, or that a person `declined`.
        detail: Why it stopped in one line, with what to do about it.
        next_node: The node that would have run next; None at the end.
        visits: How often each node has run to its end, over all parts of a resumed run.
        node_seconds: The time that each node took, in s.
        seconds: Wall time, in s.
        money: What was spent.
        resumed: Whether it went on from a checkpoint.
    """

    workflow: str
    state: StateT
    stopped: StopReason | None
    detail: str
    next_node: str | None
    visits: dict[str, int]
    node_seconds: dict[str, float]
    seconds: float
    money: float
    resumed: bool

    @property
    def finished(self) -> bool:
        """Whether it reached its end."""
        return self.stopped is None

    @property
    def steps(self) -> int:
        """How many nodes ran."""
        return sum(self.visits.values())

    @property
    def errors(self) -> list[ErrorRecord]:
        """For `AgentResult.errors`: what stopped it, so that the run's status is "partial"; empty at the end."""
        return [] if self.finished else [ErrorRecord(where=f"workflow {self.workflow}", message=self.detail)]
