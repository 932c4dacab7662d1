"""Structured answers: a schema in words, JSON found in what comes back, and errors that a model can act on."""

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

SchemaT = TypeVar("SchemaT", bound=BaseModel)

SHOWN = 8
"""How many problems of one answer the model is shown."""


class AnswerError(Exception):
    """An answer does not fit; the message is for the model to read."""


def instructions(schema: dict[str, Any]) -> str:
    """How to answer, in words that every model takes, whatever its server supports."""
    return (
        "Answer with one JSON object and nothing else: no explanation before or after it, no code fence. "
        f"It must be valid against this JSON schema:\n{json.dumps(schema, ensure_ascii=False)}"
    )


def parse_answer(schema: type[SchemaT], text: str) -> SchemaT:
    """The JSON object in an answer, validated; prose and code fences around it are forgiven.

    Raises:
        AnswerError: There is none, or it does not fit.
    """
    try:
        return schema.model_validate(find_object(text))
    except ValidationError as error:
        raise AnswerError(_problems(error)) from None


def repair_request(problem: str) -> str:
    """What a model is told after an answer that does not fit."""
    return f"Your answer cannot be used:\n{problem}\nAnswer again, with one corrected JSON object and nothing else."


def find_object(text: str) -> dict[str, Any]:
    """The last outermost JSON object in a text.

    Raises:
        AnswerError: There is none; with the place of the first mistake in what looks most like one.
    """
    decoder = json.JSONDecoder()
    found: dict[str, Any] | None = None
    mistake: Exception | None = None
    position = text.find("{")
    while position >= 0:
        try:
            found, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:  # endless digits and endless nesting are no syntax errors
            mistake = mistake or error
            end = position + 1
        position = text.find("{", end)
    if found is not None:
        return found
    if mistake is None:
        raise AnswerError("- it holds no JSON object")
    raise AnswerError(f"- it holds no valid JSON: {mistake}")


def _problems(error: ValidationError) -> str:
    problems = error.errors(include_url=False)
    lines = [_line(problem["loc"], problem["msg"], problem["input"]) for problem in problems[:SHOWN]]
    if len(problems) > SHOWN:
        lines.append(f"- and {len(problems) - SHOWN} more")
    return "\n".join(lines)


def _line(location: tuple[int | str, ...], message: str, given: object) -> str:
    where = ".".join(str(part) for part in location) or "the object"
    shown = json.dumps(given, ensure_ascii=False, default=str)
    reason = message.removeprefix("Value error, ")
    return f"- {where}: {reason}; you wrote {shown if len(shown) <= 200 else shown[:200] + '...'}"
