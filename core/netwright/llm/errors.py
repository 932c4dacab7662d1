"""What can go wrong with a language model while the work itself could go on: deciders turn it into a fallback."""

from typing import Any

from netwright.errors import NetwrightError
from netwright.llm.messages import Usage


class LanguageModelError(NetwrightError):
    """The language model gave no usable answer."""

    usage = Usage()
    """What the conversation took nevertheless."""


class CapReachedError(LanguageModelError):
    """A cap on calls, tokens, money or time is reached."""


class RepetitionError(LanguageModelError):
    """The model goes round in circles."""


class UnavailableError(LanguageModelError):
    """The service did not answer in spite of all retries, or its answer broke off."""


class NotAskedError(LanguageModelError):
    """The service was unavailable for the first question of a run, and is not waited for at each of the others."""


class RefusedError(LanguageModelError):
    """The service refuses this request; asking again would not help."""


class CommandError(LanguageModelError):
    """The command-line model failed."""


class InvalidAnswerError(LanguageModelError):
    """The answer does not fit what was asked for, in spite of all repairs."""


class TooManyRoundsError(LanguageModelError):
    """The model calls tools without end."""


RECORDED = {
    error.__name__: error
    for error in (CapReachedError, RepetitionError, UnavailableError, NotAskedError, RefusedError, CommandError)
}
"""Those that a transcript can hold."""
UNSENT = frozenset(error.__name__ for error in (CapReachedError, RepetitionError, NotAskedError))
"""Those for which nothing was sent."""


def error_to_json(error: LanguageModelError) -> dict[str, Any]:
    """An error for a transcript."""
    return {"kind": type(error).__name__, "what": error.what, "why": error.why, "remedy": error.remedy}


def error_from_json(values: dict[str, Any]) -> LanguageModelError:
    """The error that a transcript holds."""
    error_class = RECORDED.get(values.get("kind", ""), LanguageModelError)
    return error_class(values["what"], why=values.get("why", ""), remedy=values.get("remedy", ""))
