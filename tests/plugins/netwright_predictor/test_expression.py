from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright_predictor.expression import Expression

AT = {"B": 3, "S": 37, "C": 5, "E": 0}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2*B*S**2", 2 * 3 * 37**2),
        ("B*ceil(S/16)*256", 3 * 3 * 256),
        ("S//16 + S - 16*(S//16)", 2 + 5),
        ("-B + 4", 1),
        ("max(S, 64) - min(C, 2)", 62),
        ("(1/2)*(S + C)", 21),
        ("7", 7),
        ("E", 0),
    ],
)
def test_the_value_is_that_of_arithmetic(text: str, value: int) -> None:
    assert Expression(text)(AT) == value
    assert str(Expression(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "B*",
        "B S",
        "(B",
        "B)",
        "__import__('os')",
        "B.real",
        "x",
        "B**S",
        "B**99",
        "ceil(B, S)",
        "min(B)",
        "B[0]",
        "lambda",
        "(" * 50 + "B" + ")" * 50,
        "-" * 100 + "B",
        "B+" * 2000 + "B",
    ],
)
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        Expression(text)


@pytest.mark.parametrize("text", ["S/2", "B/E"])
def test_a_value_that_is_no_whole_number_is_an_error(text: str) -> None:
    with pytest.raises(ArithmeticError):
        Expression(text)(AT)


@given(st.text(alphabet="BSCE0123456789+-*/(), ceilmnax", max_size=30))
def test_no_text_makes_reading_fail_otherwise(text: str) -> None:
    with suppress(ValueError, ArithmeticError):
        Expression(text)(AT)
