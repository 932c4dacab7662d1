"""No language model: the default. Whoever needs one is told how to get it."""

from collections.abc import Callable, Sequence
from typing import NoReturn

from netwright.errors import UserError
from netwright.llm.backends.backend import Progress
from netwright.llm.messages import Message, Request, ToolCall


class NoAsker:
    """Refuses every request."""

    name = "none"
    money_spent = 0.0

    def ask(self, request: Request, progress: Progress) -> NoReturn:  # noqa: ARG002 - every request alike
        """Refuse.

        Raises:
            UserError: Always.
        """
        raise UserError(
            "no language model is configured",
            why="llm.backend is 'none'",
            remedy="add llm=litellm llm.model=PROVIDER/MODEL, or 'llm=command llm.command=\"claude -p\"'",
        )

    def tool_result(self, said: Sequence[Message], call: ToolCall, run: Callable[[], str]) -> str:  # noqa: ARG002
        """What the tool gives."""
        return run()
