"""The deciders: rules and a language model answer the same questions behind one interface."""

import inspect
import json
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from pydantic import create_model, model_validator

from netwright.decisions.question import Decision, Question
from netwright.errors import NetwrightError
from netwright.llm.errors import LanguageModelError
from netwright.llm.messages import Message, Usage
from netwright.llm.model import LanguageModel

DecisionT = TypeVar("DecisionT", bound=Decision)

INSTRUCTION = "You take one decision in a longer piece of work on PyTorch models. Decide on the given facts alone."


@dataclass(frozen=True)
class Taken(Generic[DecisionT]):
    """A decision and who took it.

    Attributes:
        model: The language model that was asked; None for a rule that needed none.
        usage: What the model took, even if it came to no answer.
        fallback: Why a rule decided though a model was asked.
    """

    decision: DecisionT
    taken_by: str
    model: str | None = None
    usage: Usage | None = None
    fallback: str | None = None


class Decider(Protocol):
    """Something that answers questions."""

    def take(self, question: Question[DecisionT]) -> Taken[DecisionT]:
        """Decide."""
        ...


class RuleDecider:
    """Decides by the question's own rule."""

    def take(self, question: Question[DecisionT]) -> Taken[DecisionT]:
        """Decide; the rule's answer is checked like any.

        Raises:
            NetwrightError: The rule breaks the question's own check.
        """
        decision = question.rule()
        try:
            question.check(decision)
        except ValueError as error:
            raise NetwrightError(f"the rule of '{question.name}' gives no valid answer", why=str(error)) from error
        return Taken(decision, "rule")


class ModelDecider:
    """Lets a language model decide, and falls back to the rule where it gives no valid answer.

    Args:
        role: What the agent is for whose decision it is; it opens the prompt.
    """

    def __init__(self, model: LanguageModel, *, role: str = "", fallback: Decider | None = None) -> None:
        self._model = model
        self._role = role
        self._fallback = fallback or RuleDecider()

    def take(self, question: Question[DecisionT]) -> Taken[DecisionT]:
        """Decide; raises as `RuleDecider.take`, and UserError where the model's settings are wrong."""
        decision_class = question.decision_class()
        try:
            reply = self._model.complete(
                prompt(question, self._role), schema=_checked(decision_class, question), tools=question.tools
            )
        except LanguageModelError as error:
            taken = self._fallback.take(question)
            return Taken(taken.decision, taken.taken_by, self._model.name, error.usage, fallback=str(error))
        decision = decision_class.model_validate(reply.value.model_dump())
        return Taken(decision, "model", reply.model, reply.usage)


def prompt(question: Question[Any], role: str) -> list[Message]:
    """What a model is asked: the question's docstring, and its fields as JSON."""
    text = inspect.getdoc(type(question)) or question.name
    facts = json.dumps(question.model_dump(mode="json"), indent=2, ensure_ascii=False)
    opening = "\n".join(part for part in (role, INSTRUCTION) if part)
    return [Message.system(opening), Message.user(f"What is to be decided: {text}\n\nThe facts:\n{facts}")]


def _checked(decision_class: type[DecisionT], question: Question[DecisionT]) -> type[DecisionT]:
    """The decision's type with the question's check in it, so that what it refuses can be repaired."""

    def hold_against_question(decision: DecisionT) -> DecisionT:
        question.check(decision)
        return decision

    validators: dict[str, Any] = {"question": model_validator(mode="after")(hold_against_question)}
    return create_model(decision_class.__name__, __base__=decision_class, __validators__=validators)
