"""Overrides of a script's top-level constants."""

import ast
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.cases.constants import constant_names, override_constants, split_settings
from netwright.config import Config
from netwright.errors import UserError


def run(source: str, **overrides: Any) -> dict[str, Any]:
    """The names that a script defines once its constants are overridden."""
    names: dict[str, Any] = {}
    tree = override_constants(ast.parse(source), overrides, "script.py")
    exec(compile(tree, "script.py", "exec"), names)
    return names


def test_what_is_computed_from_a_constant_follows() -> None:
    names = run("M = 4\nN = M * 2\nclass Model:\n    size = N + 1\n", M=10)
    assert (names["M"], names["N"], names["Model"].size) == (10, 20, 21)


def test_a_derived_constant_can_be_overridden_itself() -> None:
    names = run("M = 4\nN = M * 2\n", N=3)
    assert (names["M"], names["N"]) == (4, 3)


def test_lists_become_tuples_where_the_script_has_one() -> None:
    names = run("A = (1, 2)\nB = [1, 2]\nC = ((1, 2), [3])\n", A=[5, 6, 7], B=[5], C=[[8, 9], [7]])
    assert names["A"] == (5, 6, 7)
    assert names["B"] == [5]
    assert names["C"] == ((8, 9), [7])


def test_unpacked_annotated_and_chained_assignments() -> None:
    names = run("M, (N, K) = 1, (2, 3)\nRATE: float = 0.1\nA = B = 5\n", N=20, RATE=0.5, A=6)
    assert [names[name] for name in ("M", "N", "K", "RATE", "A", "B")] == [1, 20, 3, 0.5, 6, 5]


def test_unpacking_a_call() -> None:
    names = run("def sizes():\n    return 1, 2\nM, N = sizes()\nTOTAL = M + N\n", N=9)
    assert (names["M"], names["N"], names["TOTAL"]) == (1, 9, 10)


def test_every_assignment_of_a_name_gets_the_value() -> None:
    names = run("M = 2\nEARLY = M\nM = M + 1\n", M=7)
    assert (names["M"], names["EARLY"]) == (7, 7)


def test_an_overridden_value_is_not_computed() -> None:
    assert run("M = 1 / 0\n", M=3)["M"] == 3


def test_names_inside_functions_are_no_constants() -> None:
    assert constant_names(ast.parse("__all__ = []\nM = 1\nx.y = 2\ndef f():\n    K = 3\nfor i in (): pass\n")) == {"M"}


def test_an_unknown_constant_shows_the_nearest() -> None:
    with pytest.raises(UserError, match=r"no constant in script\.py named 'batchsize'; did you mean 'batch_size'"):
        run("batch_size = 4\n", batchsize=8)


def test_a_value_that_cannot_be_written() -> None:
    with pytest.raises(UserError, match="constant 'M' cannot be a object"):
        run("M = 4\n", M=object())


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)


@given(values)
def test_any_plain_value_arrives(value: Any) -> None:
    assert run("VALUE = None\n", VALUE=value)["VALUE"] == value


class Sizes(Config):
    """Settings for the test."""

    batch_size: int = 1
    image_size: int = 8


def test_settings_are_split_from_the_others() -> None:
    settings, others = split_settings(Sizes, {"batch_size": 4, "image_size": 2, "width": 3}, excluded={"image_size"})
    assert settings == Sizes(batch_size=4)
    assert others == {"image_size": 2, "width": 3}
    assert split_settings(Sizes, None) == (Sizes(), {})


def test_a_wrong_setting_names_its_key() -> None:
    with pytest.raises(UserError, match=r"'case_options\.constants\.batch_size' cannot be 'many'"):
        split_settings(Sizes, {"batch_size": "many"})
