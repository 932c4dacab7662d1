"""Deciding: a question goes to the run's decider, and the log keeps who answered, why, and at what cost."""

from typing import TYPE_CHECKING, Any, TypeVar

from netwright.decisions.deciders import Taken
from netwright.decisions.question import Decision, Question

if TYPE_CHECKING:
    from netwright.context import RunContext

DecisionT = TypeVar("DecisionT", bound=Decision)


def decide(question: Question[DecisionT], context: "RunContext | None" = None) -> DecisionT:
    """Let the run's decider answer: the language model where one is configured, else the question's rule.

    The decision is logged in the run's `decisions.jsonl`; a fallback from the model to the rule is also shown.

    Args:
        context: Whose decider; the run in force by default.

    Raises:
        UserError: The language model's settings are wrong.
        NetwrightError: The rule breaks the question's own check.
    """
    from netwright.context import current_run

    run = context or current_run()
    taken = run.decider.take(question)
    if taken.fallback is not None:
        run.warn(f"decided by rule instead of {taken.model}: {question.name}: {taken.fallback}")
    if run.folder is not None:
        run.folder.decision(decision_record(question, taken))
    return taken.decision


def decision_record(question: Question[Any], taken: Taken[Any]) -> dict[str, Any]:
    """What the log keeps of a decision: the same for the same question and answer, in a replay too."""
    answer = taken.decision.model_dump(mode="json")
    record: dict[str, Any] = {
        "question": question.name,
        "answer": {key: value for key, value in answer.items() if key != "reasons"},
        "taken_by": taken.taken_by,
        "reasons": answer["reasons"],
        "inputs_hash": question.inputs_hash,
    }
    if taken.model is not None:
        record["model"] = taken.model
    if taken.usage is not None:
        record |= {"tokens": taken.usage.tokens, "cost": taken.usage.cost}
    if taken.fallback is not None:
        record["fallback"] = taken.fallback
    return record
