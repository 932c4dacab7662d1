"""Types of parameters."""

from typing import Any

import pytest

from netwright_predictor.population import ParameterTypeError
from netwright_predictor.population.types import as_type


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (8, "int", 8),
        (8.0, "int", 8),
        (8, "float", 8.0),
        (True, "bool", True),
        ("silu", "str", "silu"),
        ((1, 2), "list", [1, 2]),
        ([1, 2], "tuple", (1, 2)),
        ({"factor": 8}, "dict", {"factor": 8}),
    ],
)
def test_the_same_in_the_type_that_is_asked_for(value: object, kind: str, expected: Any) -> None:
    found = as_type("x", value, kind, "somewhere")
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "int"),
        (1, "bool"),
        ("8", "int"),
        (8.5, "int"),
        (float("inf"), "int"),
        (8, "str"),
        ("ab", "list"),
        (8, "dict"),
    ],
)
def test_anything_else_is_refused_with_parameter_and_type(value: object, kind: str) -> None:
    with pytest.raises(ParameterTypeError, match=f"'x' must be {kind}.*somewhere says"):
        as_type("x", value, kind, "somewhere")
