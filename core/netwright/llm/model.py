"""The language model: one small interface for whoever wants to ask one."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

from pydantic import BaseModel

from netwright.context import current_run
from netwright.errors import NetwrightError
from netwright.files import content_key
from netwright.llm.asker import Asker
from netwright.llm.errors import InvalidAnswerError, LanguageModelError, TooManyRoundsError
from netwright.llm.loops import LoopGuard
from netwright.llm.messages import Answer, Message, Reply, Request, ToolCall, ToolSchema, Usage
from netwright.llm.structured import AnswerError, instructions, parse_answer, repair_request
from netwright.tool import Tool, to_json

SchemaT = TypeVar("SchemaT", bound=BaseModel)

LONGEST_RESULT = 20_000
"""How many letters of a tool's result the model is shown."""


class LanguageModel:
    """A language model that keeps asking until the answer is one: calls tools, and lets mistakes be repaired.

    Args:
        repairs: How often an answer that does not fit is sent back.
        rounds: How often the model may call tools in one conversation.
        repeats: How often one tool call may have the same result.
    """

    def __init__(self, asker: Asker, *, repairs: int, rounds: int, repeats: int) -> None:
        self.name = asker.name
        self._asker = asker
        self._repairs = repairs
        self._rounds = rounds
        self._repeats = repeats

    @property
    def money_spent(self) -> float:
        """US dollars that this process has spent on it, as far as prices are known."""
        return self._asker.money_spent

    @overload
    def complete(
        self, messages: Sequence[Message], *, schema: None = None, tools: Sequence[str | Tool] | None = None
    ) -> Reply[None]: ...

    @overload
    def complete(
        self, messages: Sequence[Message], *, schema: type[SchemaT], tools: Sequence[str | Tool] | None = None
    ) -> Reply[SchemaT]: ...

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: type[BaseModel] | None = None,
        tools: Sequence[str | Tool] | None = None,
    ) -> Reply[Any]:
        """Let the model answer.

        Args:
            schema: What the answer must be; it comes back validated as `Reply.value`.
            tools: Registered tools, by name, that the model may call before it answers.

        Raises:
            LanguageModelError: There is no usable answer; a decider goes on without the model.
            UserError: The settings are wrong, or there is no model at all.
        """
        json_schema = schema.model_json_schema() if schema else None
        said = [*messages, Message.system(instructions(json_schema))] if json_schema else messages
        tools_by_name = {tool.name: tool for tool in map(_tool, tools or ())}
        talk = _Talk(
            _system_first(said),
            tools_by_name,
            json_schema,
            LoopGuard("one tool call had the same result", self._repeats),
        )
        try:
            answer, value = self._converse(talk, schema)
        except LanguageModelError as error:
            error.usage = talk.usage
            raise
        return Reply(answer.text, value, tuple(talk.messages), answer.model, talk.usage, talk.requests)

    def _converse(self, talk: "_Talk", schema: type[SchemaT] | None) -> tuple[Answer, SchemaT | None]:
        """Ask until an answer fits its schema."""
        for repairs_left in range(self._repairs, -1, -1):
            answer = self._answer(talk)
            if schema is None:
                return answer, None
            try:
                return answer, _parse(schema, answer)
            except AnswerError as error:
                problem = str(error)
            current_run().log_event(
                "answer_does_not_fit", model=answer.model, problem=problem, repairs_left=repairs_left
            )
            talk.messages.append(Message.user(repair_request(problem)))
        raise InvalidAnswerError(
            f"the answer of {answer.model} does not fit what was asked for",
            why="; ".join(line.removeprefix("- ") for line in problem.splitlines()),
        )

    def _answer(self, talk: "_Talk") -> Answer:
        """Ask until the answer calls no tool."""
        for _ in range(self._rounds + 1):
            with current_run().step(f"ask {self.name}") as step:
                answer = self._asker.ask(talk.request, lambda letters: step.advance(0, letters=letters))
                step.advance(1, tokens=answer.usage.tokens)
            talk.take(answer)
            if not answer.tool_calls:
                return answer
            said = tuple(talk.messages)
            talk.messages += [self._call(call, talk, said) for call in answer.tool_calls]
        raise TooManyRoundsError("the language model calls tools without end", why=f"llm.rounds is {self._rounds}")

    def _call(self, call: ToolCall, talk: "_Talk", said: tuple[Message, ...]) -> Message:
        """The result of one tool call as the model is told of it; a failure is a result, too."""
        question = content_key(call.name, call.arguments)
        talk.guard.check(question)
        result = self._asker.tool_result(said, call, lambda: _run_tool(call, talk.tools))
        talk.guard.note(question, content_key(result))
        return Message(role="tool", content=result, tool_call_id=call.id)


@dataclass
class _Talk:
    """A conversation in progress."""

    messages: list[Message]
    tools: dict[str, Tool]
    json_schema: dict[str, Any] | None
    guard: LoopGuard
    usage: Usage = field(default_factory=Usage)
    requests: int = 0

    @property
    def request(self) -> Request:
        """What to ask next."""
        return Request(
            messages=tuple(self.messages),
            tools=tuple(map(_tool_schema, self.tools.values())),
            json_schema=self.json_schema,
        )

    def take(self, answer: Answer) -> None:
        """Put an answer at the end."""
        self.messages.append(answer.message)
        self.usage += answer.usage
        self.requests += 1


def _tool(tool: str | Tool) -> Tool:
    return tool if isinstance(tool, Tool) else Tool(tool)


def _tool_schema(tool: Tool) -> ToolSchema:
    return ToolSchema(name=tool.name, description=tool.description, parameters=tool.schema())


def _system_first(messages: Sequence[Message]) -> list[Message]:
    """All system messages joined in front: some servers take no other order, and no more than one."""
    system = [message.content for message in messages if message.role == "system"]
    rest = [message for message in messages if message.role != "system"]
    return [*([Message.system("\n\n".join(system))] if system else []), *rest]


def _parse(schema: type[SchemaT], answer: Answer) -> SchemaT:
    try:
        return parse_answer(schema, answer.text)
    except AnswerError as error:
        if answer.truncated:
            raise AnswerError(f"{error}\n- it was cut off at the limit on its length: be brief") from None
        raise


def _run_tool(call: ToolCall, offered: dict[str, Tool]) -> str:
    tool = offered.get(call.name)
    if tool is None:
        return f"error: there is no tool '{call.name}'; there are: {', '.join(offered)}"
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError) as error:
        return f"error: the arguments are no JSON: {error}"
    if not isinstance(arguments, dict):
        return "error: the arguments are no JSON object"
    with current_run().step(f"tool {call.name}"):
        try:
            result = tool.call(arguments)
        except NetwrightError as error:
            return f"error: {error}"
        except Exception as error:  # a tool may raise anything; the model may do better next time
            current_run().log_event("tool_failed", tool=call.name, error=f"{type(error).__name__}: {error}")
            return f"error: {type(error).__name__}: {error}"
    text = result if isinstance(result, str) else to_json(result)
    if len(text) <= LONGEST_RESULT:
        return text
    half = LONGEST_RESULT // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} letters left out ...\n{text[-half:]}"
