"""A workflow's typed state as text and back, validated both ways; what no checkpoint can keep is refused by field."""

import json
from collections.abc import Mapping
from typing import Any, Generic

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic_core import PydanticSerializationError

from netwright.config import describe_problems
from netwright.errors import NetwrightError, UserError, nearest
from netwright.workflow.graph import StateT

UNSPEAKABLE = (PydanticSerializationError, TypeError, ValueError, RecursionError)
"""What serialising raises for a value that JSON has no words for."""


class StateSchema(Generic[StateT]):
    """The state class of a workflow.

    Args:
        model: The class. Its fields hold what JSON can say; larger things lie in files, and the state has their paths.
        workflow: The workflow's name, for messages.

    Raises:
        UserError: It is no pydantic model, or a field's type cannot be kept in a checkpoint.
    """

    def __init__(self, model: type[StateT], workflow: str) -> None:
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise UserError(f"the state of workflow '{workflow}' is {model!r}", why="it must be a pydantic model")
        self.model = model
        self.workflow = workflow
        try:
            self.shape: Any = _without_prose(model.model_json_schema())
        except PydanticInvalidForJsonSchema:
            why = "its type has no form in JSON"
            raise self._cannot_keep(_unkeepable_field(model), why, UserError) from None

    def dump(self, state: StateT) -> str:
        """The state as JSON text that `load` reads: the same text for equal states, in every process.

        Raises:
            NetwrightError: A field holds what JSON cannot say; the line names it.
        """
        try:
            values = state.model_dump(mode="json", round_trip=True, by_alias=True)
            text = json.dumps(_with_sorted_sets(state.model_dump(round_trip=True, by_alias=True), values))
        except UNSPEAKABLE as error:
            raise self._cannot_keep(self._first_bad_field(state), str(error)) from None
        try:
            self.model.model_validate_json(text)
        except ValidationError as error:
            complaint = describe_problems(self.model, error)
            raise NetwrightError(
                f"the state of workflow '{self.workflow}' does not read back: {complaint.what}", why=complaint.why
            ) from None
        return text

    def load(self, text: str) -> StateT:
        """The state that a checkpoint holds.

        Raises:
            UserError: It is not one of this class.
        """
        try:
            return self.model.model_validate_json(text)
        except ValidationError as error:
            problem = describe_problems(self.model, error)
            raise UserError(
                f"the checkpoint of workflow '{self.workflow}' holds no valid state: {problem.what}", why=problem.why
            ) from None

    def apply(self, state: StateT, update: Mapping[str, Any] | None, node: str) -> StateT:
        """The state with a node's update, validated.

        Raises:
            NetwrightError: The update is no mapping, or has an unknown field or a wrong value.
        """
        if update is None:
            return state
        whose = f"node '{node}' of workflow '{self.workflow}'"
        if not isinstance(update, Mapping):
            raise NetwrightError(
                f"{whose} returned {type(update).__name__}", why="a node returns a mapping of fields to new values"
            )
        fields = self.model.model_fields
        for name in update:
            if name not in fields:
                guess = nearest(str(name), fields)
                remedy = f"did you mean '{guess}'?" if guess else f"it has: {', '.join(fields)}"
                raise NetwrightError(f"{whose} returned '{name}', which the state does not have", remedy=remedy)
        values = {field.alias or name: update.get(name, getattr(state, name)) for name, field in fields.items()}
        values |= state.model_extra or {}
        try:
            return self.model.model_validate(values)
        except ValidationError as error:
            problem = describe_problems(self.model, error)
            raise NetwrightError(f"{whose} returned a wrong update: {problem.what}", why=problem.why) from None

    def _first_bad_field(self, state: StateT) -> str:
        for name in self.model.model_fields:
            try:
                json.dumps(state.model_dump(mode="json", round_trip=True, include={name}))
            except UNSPEAKABLE:
                return name
        return self.model.__name__

    def _cannot_keep(self, field: str, why: str, error: type[NetwrightError] = NetwrightError) -> NetwrightError:
        reason = " ".join(why.split())
        return error(
            f"field '{field}' of the state of workflow '{self.workflow}' cannot be kept in a checkpoint",
            why=reason[:1].lower() + reason[1:],
            remedy="save tensors and the like as an artifact, and keep its path",
        )


def _with_sorted_sets(plain: Any, spoken: Any) -> Any:
    """JSON values, sorted where the Python value beside them is a set: its own order differs between processes."""
    if isinstance(plain, set | frozenset) and isinstance(spoken, list):
        return sorted(spoken, key=json.dumps)
    if isinstance(plain, dict) and isinstance(spoken, dict) and len(plain) == len(spoken):
        pairs = zip(plain.values(), spoken.items(), strict=True)
        return {key: _with_sorted_sets(value, said) for value, (key, said) in pairs}
    if isinstance(plain, list | tuple) and isinstance(spoken, list) and len(plain) == len(spoken):
        return [_with_sorted_sets(value, said) for value, said in zip(plain, spoken, strict=True)]
    return spoken


def _unkeepable_field(model: type[BaseModel]) -> str:
    for name, field in model.model_fields.items():
        single = create_model(  # type: ignore[call-overload]
            "Single", __config__=ConfigDict(arbitrary_types_allowed=True), **{name: (field.annotation, ...)}
        )
        try:
            single.model_json_schema()
        except PydanticInvalidForJsonSchema:
            return name
    return model.__name__


def _without_prose(schema: Any) -> Any:
    """A JSON schema without titles and descriptions, so that a better docstring changes no shape."""
    if isinstance(schema, dict):
        return {
            key: _without_prose(value)
            for key, value in schema.items()
            if not (key in ("title", "description") and isinstance(value, str))
        }
    if isinstance(schema, list):
        return [_without_prose(value) for value in schema]
    return schema
