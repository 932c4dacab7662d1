"""JSON found in what models write."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from netwright.llm.structured import AnswerError, find_object, parse_answer

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PROSE = st.text(st.characters(exclude_characters="{}"))


@given(st.dictionaries(st.text(), JSON), PROSE, PROSE, st.sampled_from([None, 2]))
def test_an_object_is_found_in_any_prose(value: dict[str, object], before: str, after: str, indent: int | None) -> None:
    assert find_object(before + json.dumps(value, indent=indent) + after) == value


def test_the_last_object_counts() -> None:
    assert find_object('I thought of {"a": 1}, of {this}, but: {"a": {"b": 2}}') == {"a": {"b": 2}}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no idea", "it holds no JSON object"),
        ('{"a": 1,', "no valid JSON: Expecting property name"),
        ("[1, 2]", "it holds no JSON object"),
        ('{"a": ' + "[" * 100_000, "no valid JSON"),
        ('{"a": ' + "9" * 10_000 + "}", "no valid JSON"),
    ],
    ids=["prose", "torn", "list", "deep", "long"],
)
def test_what_is_no_object_is_said(text: str, reason: str) -> None:
    with pytest.raises(AnswerError, match=reason):
        find_object(text)


class Point(BaseModel):
    x: int = Field(ge=0)
    y: int


def test_problems_name_field_reason_and_value() -> None:
    with pytest.raises(AnswerError) as caught:
        parse_answer(Point, '{"x": -1}')
    assert str(caught.value).splitlines() == [
        "- x: Input should be greater than or equal to 0; you wrote -1",
        '- y: Field required; you wrote {"x": -1}',
    ]
