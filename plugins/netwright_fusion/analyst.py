"""The Strategy Analyst: reads profile, graph, cost and history, and decides what is to be done; it writes no code."""

from netwright.context import current_run
from netwright.decisions import Decision, Question
from netwright_fusion.metrics import OpShare, VariantRecord
from netwright_fusion.plan import Plan, PlanStep
from netwright_fusion.portfolio import EXECUTIONS


class PlanDecision(Decision):
    """Which of the proposed steps to take, and how to execute what comes of them."""

    go: bool
    """Whether anything is worth doing; otherwise the fastest baseline is handed back."""
    steps: list[str]
    """Ids of proposed steps, those to take."""
    executions: list[str]
    """Names of executions that are worth a trial, the most promising first."""


class PlanQuestion(Question[PlanDecision]):
    """Which rewrites and kernels make this module's forward faster, and how to execute what comes of them.

    Every step is verified to compute the same, and measurement decides what is kept, so that a step which may pay is
    worth taking. Steps that a former round found wrong are not proposed again. A step marked `measured` does not always
    pay; it is tried both ways.
    """

    case: str
    device: str
    mode: str
    flops: int
    """Of one call, before any rewrite."""
    bytes: int
    """Read and written by the operators of one call, one by one."""
    floor_ms: float
    """The least time for those on this machine."""
    profile: list[OpShare]
    """The most expensive operators of the unmodified module."""
    proposals: list[PlanStep]
    executions: dict[str, str]
    """What each way of executing means, by name."""
    history: list[VariantRecord] = []
    """What former rounds came to."""
    dropped: dict[str, str] = {}
    """Steps that former rounds found wrong, and why."""

    def rule(self) -> PlanDecision:
        """Take every step, and try every execution."""
        removed = sum(step.flops_removed for step in self.proposals)
        share = f" ({removed / self.flops:.0%} of all)" if self.flops else ""
        reasons = [f"{len(self.proposals)} steps would remove {removed:,} FLOPs{share}"]
        if not self.proposals:
            reasons = ["no rule and no kernel applies: only the way of executing can make a difference"]
        if not self.executions:
            reasons = ["there is no graph to work on"]
        return PlanDecision(
            go=bool(self.executions),
            steps=[step.id for step in self.proposals],
            executions=list(self.executions),
            reasons=reasons,
        )

    def check(self, decision: PlanDecision) -> None:
        """Steps and executions must be among those proposed, and a go needs one execution at least.

        Raises:
            ValueError: They are not.
        """
        known = {step.id for step in self.proposals}
        if unknown := [step for step in decision.steps if step not in known]:
            raise ValueError(f"there is no step {unknown[0]}; there are: {', '.join(sorted(known)) or 'none'}")
        if unknown := [name for name in decision.executions if name not in self.executions]:
            raise ValueError(f"there is no execution {unknown[0]}; there are: {', '.join(self.executions)}")
        if decision.go and not decision.executions:
            raise ValueError("a plan that goes needs an execution")


class ApprovalDecision(Decision):
    """Whether to archive what there is."""

    approve: bool


class ApprovalQuestion(Question[ApprovalDecision]):
    """Whether what was verified and measured is to be handed over and archived, or carried out once more.

    Another round carries out the same plan without the steps that failed. What is handed over is the fastest verified
    variant in any case, so that another round is worth it only where a failed step can be replaced or left out.
    """

    variants: list[VariantRecord]
    failed: dict[str, str]
    """Candidates that failed a check, and what it said."""
    rounds_left: int

    def rule(self) -> ApprovalDecision:
        """Approve."""
        verified = [row for row in self.variants if row.verified and row.latency_ms is not None]
        fastest = min(verified, key=lambda row: row.latency_ms or 0.0, default=None)
        reason = f"'{fastest.label}' is verified and the fastest" if fastest else "nothing could be verified and timed"
        return ApprovalDecision(approve=True, reasons=[reason])

    def check(self, decision: ApprovalDecision) -> None:
        """Another round needs one that is left, and something that failed.

        Raises:
            ValueError: There is none.
        """
        if not decision.approve and not (self.rounds_left and self.failed):
            raise ValueError("there is nothing that another round would do otherwise: approve")


def draw_up_plan(question: PlanQuestion) -> Plan:
    """The plan that the run's decider gives."""
    decision = current_run().decide(question)
    chosen = [step for step in question.proposals if step.id in decision.steps] if decision.go else []
    return Plan(
        go=decision.go,
        steps=chosen,
        executions=[name for name in EXECUTIONS if name in decision.executions],
        reasons=list(decision.reasons),
    )


def approve(question: ApprovalQuestion) -> bool:
    """Whether the run's decider approves."""
    return current_run().decide(question).approve
