"""Budgets: what is read, what is refused, and how near is near enough."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.errors import UserError
from netwright_pruning.budget import UNITS, Budget, Target, parse_amount


@given(st.floats(min_value=0, max_value=1, exclude_min=True, exclude_max=True))
def test_a_bare_number_between_0_and_1_is_the_fraction_that_remains(fraction: float) -> None:
    assert parse_amount(fraction) == fraction


@given(st.floats(allow_nan=True).filter(lambda value: not 0 < value < 1))
def test_any_other_bare_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="fraction that remains"):
        parse_amount(value)


@given(st.integers(1, 10**6), st.sampled_from(sorted(UNITS)), st.booleans())
def test_a_whole_number_with_a_unit_is_absolute(number: int, unit: str, spaced: bool) -> None:
    assert parse_amount(f"{number}{' ' * spaced}{unit}") == number * UNITS[unit]


@given(st.decimals(min_value=1, max_value=999, places=2), st.sampled_from(sorted(UNITS)))
def test_a_decimal_number_with_a_unit_is_absolute(number: object, unit: str) -> None:
    assert parse_amount(f"{number}{unit}") == pytest.approx(float(str(number)) * UNITS[unit])


@given(st.text(max_size=12))
def test_a_text_is_read_as_an_absolute_count_or_refused(text: str) -> None:
    try:
        count = parse_amount(text)
    except ValueError:
        return
    assert count >= 1
    assert text.strip()[-1] in UNITS


@pytest.mark.parametrize(
    "value", [True, False, None, "", "0.3", "12ms", "-3M", "1e3k", "500", "M", "1.8g", "0.0001k", [0.5]]
)
def test_what_is_neither_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"1\.8G"):
        parse_amount(value)


@given(st.floats(min_value=1e-3, max_value=0.999), st.integers(1000, 10**12))
def test_a_fraction_is_of_the_unpruned_model(fraction: float, unpruned: int) -> None:
    assert Budget("macs", fraction).target(unpruned, 0.01).value == pytest.approx(fraction * unpruned)


def test_an_absolute_budget_is_itself() -> None:
    assert Budget("parameters", 25e3).target(100_000, 0.01).value == 25e3


def test_a_budget_that_the_model_meets_already_is_refused_with_both_counts() -> None:
    with pytest.raises(UserError, match=r"agent\.budget\.macs.*308\.0k.*1\.800G"):
        Budget("macs", 1.8e9).target(308_000, 0.01)


@given(st.floats(min_value=1, max_value=1e12), st.floats(min_value=0.001, max_value=0.5))
def test_the_band_reaches_equally_far_to_both_sides(value: float, tolerance: float) -> None:
    target = Target(value, tolerance)
    assert target.contains(value)
    assert target.contains(value * (1 + 0.99 * tolerance))
    assert target.contains(value * (1 - 0.99 * tolerance))
    assert not target.contains(value * (1 + 1.01 * tolerance))
    assert not target.contains(value * (1 - 1.01 * tolerance))


def test_the_error_is_relative_and_negative_below_the_target() -> None:
    assert Target(200.0, 0.01).error(150.0) == pytest.approx(-0.25)
