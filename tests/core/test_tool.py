"""A tool's schema, validation and call, from nothing but its signature."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.errors import UserError
from netwright.registry import Registry
from netwright.tool import Tool, to_json

PLUGIN = '''
from netwright import hookimpl
from netwright.specs import ToolSpec

def repeat(text: str, times: int = 2, suffix: str = None) -> str:
    """Repeat a text."""
    return text * times + (suffix or "")

def join(first: str, *others: str, by: str = " ") -> str:
    return by.join((first, *others))

@hookimpl
def netwright_tools():
    return [
        ToolSpec(name=name, summary=name, target="inline:" + name) for name in ("repeat", "join")
    ]
'''


@pytest.fixture(autouse=True)
def plugin(register_plugin: Callable[..., Registry]) -> Registry:
    return register_plugin(PLUGIN)


def test_call_with_defaults() -> None:
    assert Tool("repeat").call({"text": "ab"}) == "abab"
    assert Tool("repeat").call({"text": "ab", "times": 1, "suffix": None}) == "ab"


def test_positional_and_keyword_only_arguments() -> None:
    assert Tool("join").call({"first": "a", "others": ["b", "c"], "by": "-"}) == "a-b-c"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"text": "a", "time": 3}, "unknown key 'repeat.time'; did you mean 'times'?"),
        ({}, "'repeat.text' is missing"),
        ({"text": "a", "times": "many"}, "'repeat.times' cannot be 'many'"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        Tool("repeat").call(arguments)
    assert message in str(caught.value)


def test_schema_describes_every_parameter() -> None:
    schema = Tool("repeat").schema()
    assert schema["required"] == ["text"]
    assert schema["properties"]["times"]["default"] == 2
    assert schema["additionalProperties"] is False
    assert Tool("repeat").description == "Repeat a text."


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_to_json_round_trips_json_values(value: Any) -> None:
    assert json.loads(to_json(value)) == value
