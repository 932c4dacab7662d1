"""The state as text and back: what JSON says survives, everything else is refused by the name of its field."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from netwright.errors import NetwrightError, UserError
from netwright.workflow.state import StateSchema


class Inner(BaseModel):
    name: str = ""
    path: Path = Path()


class Rich(BaseModel):
    count: int = 0
    ratio: float = 0.0
    words: tuple[str, ...] = ()
    by_number: dict[int, float] = {}
    choices: set[int] = set()
    when: datetime | None = None
    inner: Inner = Inner()


class Loose(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    anything: Any = None
    fine: int = 1


RICH = st.builds(
    Rich,
    count=st.integers(),
    ratio=st.floats(allow_nan=False),
    words=st.lists(st.text(st.characters(exclude_categories=["Cs"]))).map(tuple),
    by_number=st.dictionaries(st.integers(), st.floats(allow_nan=False)),
    choices=st.sets(st.integers()),
    when=st.none() | st.datetimes(),
    inner=st.builds(Inner, name=st.text(st.characters(exclude_categories=["Cs"]))),
)


@given(RICH)
def test_comes_back_as_it_was(state: Rich) -> None:
    schema = StateSchema(Rich, "w")
    assert schema.load(schema.dump(state)) == state


def test_equal_sets_give_the_same_text() -> None:
    class Sets(BaseModel):
        words: set[str]
        deep: dict[str, list[frozenset[str]]]

    words = [f"word {index}" for index in range(20)]
    schema = StateSchema(Sets, "w")
    texts = {
        schema.dump(Sets(words=set(order), deep={"a": [frozenset(order)]})) for order in (words, list(reversed(words)))
    }
    assert len(texts) == 1
    assert json.loads(texts.pop())["words"] == sorted(words)


def test_nan_comes_back_as_nan() -> None:
    schema = StateSchema(Rich, "w")
    ratio = schema.load(schema.dump(Rich(ratio=float("nan")))).ratio
    assert ratio != ratio


def test_refuses_a_type_that_json_lacks_when_it_is_defined() -> None:
    class Weights(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)

        epoch: int
        weights: torch.Tensor

    with pytest.raises(UserError, match="field 'weights' of the state of workflow 'w' cannot be kept") as caught:
        StateSchema(Weights, "w")
    assert "keep its path" in str(caught.value)


def test_refuses_what_is_no_model() -> None:
    with pytest.raises(UserError, match="must be a pydantic model"):
        StateSchema(dict, "w")  # type: ignore[type-var]


@pytest.mark.parametrize("value", [torch.zeros(2), {"deep": [torch.zeros(2)]}, b"\xff\xfe", object()])
def test_refuses_a_value_that_json_lacks(value: object) -> None:
    with pytest.raises(NetwrightError, match="field 'anything' of the state of workflow 'w' cannot be kept"):
        StateSchema(Loose, "w").dump(Loose(anything=value))


def test_huge_integers_are_kept() -> None:
    schema = StateSchema(Loose, "w")
    assert schema.load(schema.dump(Loose(fine=2**200))).fine == 2**200


@pytest.mark.parametrize("text", ["", "{", "[]", '{"count": "many"}'])
def test_refuses_a_checkpoint_that_holds_something_else(text: str) -> None:
    with pytest.raises(UserError, match="the checkpoint of workflow 'w' holds no valid state"):
        StateSchema(Rich, "w").load(text)


def test_update_is_validated_and_converted() -> None:
    schema = StateSchema(Rich, "w")
    after = schema.apply(Rich(count=1), {"ratio": "0.5"}, "n")
    assert (after.count, after.ratio) == (1, 0.5)
    assert schema.apply(after, None, "n") == after


@pytest.mark.parametrize(
    ("update", "message"),
    [
        (
            {"cuont": 1},
            "node 'n' of workflow 'w' returned 'cuont', which the state does not have; did you mean 'count'",
        ),
        ({"count": "many"}, "node 'n' of workflow 'w' returned a wrong update: 'count' cannot be 'many'"),
        (3, "node 'n' of workflow 'w' returned int"),
    ],
)
def test_refuses_a_wrong_update(update: Any, message: str) -> None:
    with pytest.raises(NetwrightError, match=message) as caught:
        StateSchema(Rich, "w").apply(Rich(), update, "n")
    assert caught.value.exit_code == 1


def test_fields_beyond_the_declared_survive() -> None:
    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")

        value: int = 0

    schema = StateSchema(Open, "w")
    after = schema.apply(schema.load('{"value": 1, "more": 2}'), {"value": 3}, "n")
    assert schema.load(schema.dump(after)).model_dump() == {"value": 3, "more": 2}


def test_aliases_are_honoured() -> None:
    class Aliased(BaseModel):
        value: int = Field(default=0, alias="Value")

    schema = StateSchema(Aliased, "w")
    after = schema.apply(Aliased(Value=1), {"value": 2}, "n")
    assert schema.load(schema.dump(after)).value == 2


def test_prose_does_not_change_the_shape() -> None:
    def shape(doc: str, kind: type) -> object:
        class State(BaseModel):
            description: kind = Field(default=kind(), description=doc)  # type: ignore[valid-type]

        return StateSchema(State, "w").shape

    assert shape("one", int) == shape("two", int)
    assert shape("one", int) != shape("one", str)
