"""What is said to a language model and what it says back, free of any provider's format."""

from dataclasses import dataclass
from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict

from netwright.files import content_key

ValueT = TypeVar("ValueT", covariant=True)


class Part(BaseModel):
    """Base class of messages and their parts: immutable, and nothing unknown in them."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ToolCall(Part):
    """A tool that the model wants called."""

    id: str
    name: str
    arguments: str
    """A JSON object as the model wrote it, and perhaps none."""


class Message(Part):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    """Which call a tool's result answers."""

    @classmethod
    def system(cls, text: str) -> Self:
        """Who the model is and how it is to behave."""
        return cls(role="system", content=text)

    @classmethod
    def user(cls, text: str) -> Self:
        """What it is asked."""
        return cls(role="user", content=text)


class ToolSchema(Part):
    """A tool as the model is told of it."""

    name: str
    description: str
    parameters: dict[str, Any]
    """The JSON schema of its arguments."""


class Request(Part):
    """All that determines an answer, but for the model and how it is sampled."""

    messages: tuple[Message, ...]
    tools: tuple[ToolSchema, ...] = ()
    json_schema: dict[str, Any] | None = None
    """What a structured answer must fit."""

    @property
    def key(self) -> str:
        """SHA-256 of the request: equal requests have equal keys."""
        return content_key(self.model_dump(mode="json"))


class Usage(Part):
    """What answers took."""

    prompt_tokens: int = 0
    answer_tokens: int = 0
    cost: float | None = 0.0
    """US dollars; None where no price is known."""
    estimated: bool = False
    """Whether the tokens are counted as four letters each because the service did not say."""

    @property
    def tokens(self) -> int:
        """Prompt and answer together."""
        return self.prompt_tokens + self.answer_tokens

    def __add__(self, other: "Usage") -> "Usage":
        """The sum; its cost is unknown where one of both is."""
        known = None not in (self.cost, other.cost)
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            answer_tokens=self.answer_tokens + other.answer_tokens,
            cost=(self.cost or 0) + (other.cost or 0) if known else None,
            estimated=self.estimated or other.estimated,
        )


class Answer(Part):
    """What came back for one request."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    model: str
    """Who answered, as the configuration names it."""
    usage: Usage = Usage()
    """What this answer cost this run; nothing when it came from the cache."""
    truncated: bool = False
    """Whether it ends because it reached the limit on its length."""

    @property
    def message(self) -> Message:
        """The answer as a turn of the conversation."""
        return Message(role="assistant", content=self.text, tool_calls=self.tool_calls)


@dataclass(frozen=True)
class Reply(Generic[ValueT]):
    """The outcome of a conversation.

    Attributes:
        text: The last answer as the model wrote it.
        value: The same, validated; None where no schema was asked for.
        messages: The whole conversation with the last answer: append to it to go on talking.
        model: Who answered.
        usage: What all requests of this conversation took.
        requests: How many those were: one, and one more for each repair and each round of tool calls.
    """

    text: str
    value: ValueT
    messages: tuple[Message, ...]
    model: str
    usage: Usage
    requests: int
