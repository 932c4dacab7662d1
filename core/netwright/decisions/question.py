"""The question: what is to be decided, on what grounds, by which rule, and what counts as an answer."""

import inspect
from abc import abstractmethod
from typing import ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from netwright.files import content_key


class Decision(BaseModel):
    """Base class of answers; the fields of a subclass are what is decided."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    reasons: list[str] = []
    """Why, one line each."""


DecisionT = TypeVar("DecisionT", bound=Decision)


class Question(BaseModel, Generic[DecisionT]):
    """Base class of questions.

    A subclass names the type of its answer, `class Depth(Question[DepthDecision])`. Its docstring says what is to be
    decided, as a model reads it ("How deep the network shall be."); its fields are all that the decision may rest on;
    its methods are the rule and the check.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    tools: ClassVar[tuple[str, ...]] = ()
    """Registered tools that a model may call before it decides."""

    @abstractmethod
    def rule(self) -> DecisionT:
        """The decision without a model, by the fields alone: the same fields, the same decision."""

    def check(self, decision: DecisionT) -> None:
        """Refuse what is no valid answer to this question, whoever gave it.

        Raises:
            ValueError: It is none; the message is shown to the model, which may try again.
        """

    @property
    def name(self) -> str:
        """What logs and reports call it: the first line of the docstring."""
        return (inspect.getdoc(type(self)) or type(self).__name__).splitlines()[0].rstrip(".")

    @property
    def inputs_hash(self) -> str:
        """SHA-256 of the question's type and fields: equal questions have equal hashes in every process."""
        return content_key(type(self).__qualname__, self.model_dump(mode="json"))

    @classmethod
    def decision_class(cls) -> type[DecisionT]:
        """The type of the answer.

        Raises:
            TypeError: The class does not name one.
        """
        for base in cls.__mro__:
            arguments = getattr(base, "__pydantic_generic_metadata__", {}).get("args", ())
            if arguments and isinstance(arguments[0], type) and issubclass(arguments[0], Decision):
                return arguments[0]  # type: ignore[return-value]  # what the class statement says, read back
        raise TypeError(f"{cls.__name__} names no decision: write class {cls.__name__}(Question[YourDecision])")


class Choice(Decision):
    """One of several options."""

    choice: str
    """The chosen option's name."""


class ChoiceQuestion(Question[Choice]):
    """A question whose answer is one of its options."""

    options: dict[str, str]
    """What each option means, by name."""

    def check(self, decision: Choice) -> None:
        """The choice must be among the options."""
        if decision.choice not in self.options:
            raise ValueError(f"choice must be one of {', '.join(self.options)}, not '{decision.choice}'")
