"""Typed configuration: the base class of every component's settings, and errors that name the key's full path."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from netwright.errors import UserError, nearest


class Config(BaseModel):
    """Base class of settings: immutable, unknown keys refused, field docs read from the string under each field."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True, allow_inf_nan=False
    )


ConfigT = TypeVar("ConfigT", bound=Config)


def parse_config(config_class: type[ConfigT], values: Mapping[str, Any], *, path: str = "") -> ConfigT:
    """Validate `values` as `config_class`.

    Args:
        path: The key under which the user finds these settings, e.g. "agent"; it leads every message.

    Raises:
        UserError: A key is unknown or a value has the wrong type; the message names the first such key in full.
    """
    try:
        return config_class.model_validate(dict(values))
    except ValidationError as error:
        raise describe_problems(config_class, error, path) from None


def describe_problems(model: type[BaseModel], error: ValidationError, path: str = "") -> UserError:
    """The one-line error for what pydantic complains of: unknown keys first, for a typo makes another one missing."""
    problems = sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    first = _describe(model, problems[0], path)
    if len(problems) == 1:
        return first
    return UserError(first.what, why=first.why, remedy=f"{first.remedy} (and {len(problems) - 1} more)".strip())


def _describe(config_class: type[BaseModel], problem: ErrorDetails, path: str) -> UserError:
    key = ".".join([*([path] if path else []), *(str(part) for part in problem["loc"])])
    if problem["type"] == "extra_forbidden":
        valid = sorted(_fields_at(config_class, problem["loc"][:-1]))
        guess = nearest(str(problem["loc"][-1]), valid)
        remedy = f"did you mean '{guess}'?" if guess else f"valid keys: {', '.join(valid)}"
        return UserError(f"unknown key '{key}'", remedy=remedy)
    if problem["type"] == "missing":
        return UserError(f"'{key}' is missing", why="it has no default")
    reason = str(problem["msg"]).removeprefix("Value error, ")
    return UserError(f"'{key}' cannot be {problem['input']!r}", why=reason[:1].lower() + reason[1:])


def _fields_at(config_class: type[BaseModel], location: tuple[int | str, ...]) -> set[str]:
    """The field names of the model that stands at `location` inside `config_class`."""
    models: list[type[BaseModel]] = [config_class]
    for part in location:
        found = [field for model in models if (field := model.model_fields.get(str(part)))]
        if not found:
            continue  # an index, a mapping's key or the tag of a union
        models = [model for field in found for model in _models_in(field.annotation)]
    return {field.alias or name for model in models for name, field in model.model_fields.items()}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in getattr(annotation, "__args__", ()) for model in _models_in(argument)]
