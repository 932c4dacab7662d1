"""The backend: what a way of reaching a language model must offer."""

from collections.abc import Callable
from typing import Any, Protocol

from netwright.llm.messages import Answer, Request

Progress = Callable[[int], None]


class Backend(Protocol):
    """Sends one request once."""

    name: str
    """The model as the configuration names it."""

    def identity(self) -> dict[str, Any]:
        """All that determines its answers beside the request, JSON values."""
        ...

    def prepare(self) -> None:
        """Look for all that is needed before the first request is sent; called once.

        Raises:
            UserError: Something is missing.
        """
        ...

    def send(self, request: Request, *, timeout: float, first: bool, progress: Progress) -> Answer:
        """Put one request.

        Args:
            timeout: Seconds that it may take.
            first: Whether no request of this run was answered yet: a refusal then means that the settings are wrong.
            progress: Told how many letters of a streamed answer are there.

        Raises:
            PassingError: It failed, and may not fail again.
            LanguageModelError: It failed, and would again.
            UserError: The settings are wrong.
        """
        ...
