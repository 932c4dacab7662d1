"""The tool: one typed function that an agent, a person or an MCP client can call with JSON arguments."""

import inspect
import json
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model

from netwright.config import describe_problems
from netwright.errors import NetwrightError
from netwright.registry import registry


class Tool:
    """A registered function with its schema.

    Raises:
        UserError: No tool has that name, or a package that it needs is missing.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        function = registry().load("tool", name)
        if not callable(function):
            raise NetwrightError(f"tool '{name}' is not a function", why=registry().spec("tool", name).target)
        self.function: Callable[..., Any] = function

    @property
    def description(self) -> str:
        """The function's docstring, or the spec's summary where it has none."""
        return inspect.getdoc(self.function) or registry().spec("tool", self.name).summary

    @cached_property
    def parameters(self) -> type[BaseModel]:
        """The arguments as a pydantic model; `*args` is a list field of that name."""
        hints = get_type_hints(self.function, include_extras=True)
        fields: dict[str, Any] = {}
        for parameter in inspect.signature(self.function).parameters.values():
            annotation = hints.get(parameter.name, Any)
            if parameter.kind is parameter.VAR_POSITIONAL:
                fields[parameter.name] = (list[annotation], Field(default=[]))  # type: ignore[valid-type]
            elif parameter.kind is parameter.VAR_KEYWORD:
                fields[parameter.name] = (dict[str, annotation], Field(default={}))  # type: ignore[valid-type]
            else:
                fields[parameter.name] = _field(parameter, annotation)
        return create_model(self.name, __config__=ConfigDict(extra="forbid", arbitrary_types_allowed=True), **fields)

    def schema(self) -> dict[str, Any]:
        """The JSON schema of the arguments."""
        return self.parameters.model_json_schema()

    def call(self, arguments: Mapping[str, Any]) -> Any:
        """Validate the arguments and call the function.

        Raises:
            UserError: An argument is unknown, missing or of the wrong type.
        """
        try:
            model = self.parameters.model_validate(dict(arguments))
        except ValidationError as error:
            raise describe_problems(self.parameters, error, self.name) from None
        values = {name: getattr(model, name) for name in type(model).model_fields}
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for parameter in inspect.signature(self.function).parameters.values():
            if parameter.kind is parameter.VAR_POSITIONAL:
                positional.extend(values[parameter.name])
            elif parameter.kind is parameter.VAR_KEYWORD:
                named.update(values[parameter.name])
            elif parameter.kind is parameter.KEYWORD_ONLY:
                named[parameter.name] = values[parameter.name]
            else:
                positional.append(values[parameter.name])
        return self.function(*positional, **named)


def _field(parameter: inspect.Parameter, annotation: Any) -> tuple[Any, Any]:
    """The type and default of a parameter; one that defaults to None may be None, even if its annotation forgot."""
    if parameter.default is parameter.empty:
        return annotation, ...
    return (annotation | None if parameter.default is None else annotation), parameter.default


def to_json(value: Any) -> str:
    """A tool's result as JSON text, indented; pydantic models and dataclasses included."""
    return json.dumps(TypeAdapter(Any).dump_python(value, mode="json"), indent=2, ensure_ascii=False)
