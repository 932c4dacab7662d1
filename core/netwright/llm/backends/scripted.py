"""A scripted language model: says what a test wrote down, and remembers what it was asked."""

import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from netwright.llm.backends.backend import Progress
from netwright.llm.errors import RefusedError
from netwright.llm.messages import Answer, Request, ToolCall, Usage

Line = str | dict[str, Any] | BaseModel | ToolCall | Exception


class ScriptedBackend:
    """Gives one line of its script per request.

    Args:
        script: Per request, a text; a JSON object or a pydantic model, said as JSON; a tool call; an error to raise.
    """

    name = "scripted"

    def __init__(self, script: Iterable[Line]) -> None:
        self._script = iter(script)
        self.requests: list[Request] = []

    def identity(self) -> dict[str, Any]:
        """Nothing but its name."""
        return {"backend": self.name}

    def prepare(self) -> None:
        """Nothing needs preparing."""

    def send(self, request: Request, *, timeout: float, first: bool, progress: Progress) -> Answer:  # noqa: ARG002
        """Say the next line.

        Raises:
            RefusedError: The script is at its end.
        """
        self.requests.append(request)
        line = next(self._script, RefusedError(f"the script ends before request {len(self.requests)}"))
        if isinstance(line, Exception):
            raise line
        if isinstance(line, ToolCall):
            return Answer(tool_calls=(line,), model=self.name, usage=_usage(request, line.arguments))
        text = (
            line
            if isinstance(line, str)
            else line.model_dump_json()
            if isinstance(line, BaseModel)
            else json.dumps(line)
        )
        return Answer(text=text, model=self.name, usage=_usage(request, text))


def _usage(request: Request, text: str) -> Usage:
    """One token per word."""
    prompt = sum(len(message.content.split()) for message in request.messages)
    return Usage(prompt_tokens=prompt, answer_tokens=len(text.split()), cost=0.0)
