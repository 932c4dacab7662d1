"""Numbers as people read them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.formatting import format_bytes, format_duration, format_number, format_spread

PREFIXES = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (12, "12"),
        (48213, "48,213"),
        (0.956, "0.9560"),
        (1234.6, "1,235"),
        (9999.7, "10,000"),
        (100_000, "100.0k"),
        (1_814_000, "1.814M"),
        (-2.5e9, "-2.500G"),
        (4.05e11, "405.0G"),
        (1.234e-5, "1.234e-05"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
    ],
)
def test_a_number_has_four_digits(value: float, text: str) -> None:
    assert format_number(value) == text


@given(st.floats(min_value=-1e14, max_value=1e14).filter(lambda value: abs(value) > 1e-6))
def test_a_number_reads_back_within_its_digits(value: float) -> None:
    text = format_number(value).replace(",", "")
    scale = PREFIXES.get(text[-1], 1.0)
    read = float(text.rstrip("kMGT")) * scale
    assert math.isclose(read, value, rel_tol=6e-4)


@pytest.mark.parametrize(
    ("mean", "error", "text"),
    [
        (0.95612, 0.0032, "0.9561 ± 0.0032"),
        (0.95612, 0.00032, "0.9561 ± 0.0003"),
        (0.95612, 1e-9, "0.9561 ± 1e-09"),
        (12.345, 1.23, "12.3 ± 1.2"),
        (123.4, 56.0, "123 ± 56"),
        (1_814_000, 12_000, "1.814M ± 0.012M"),
        (0.0, 0.5, "0.00 ± 0.50"),
        (0.5, 0.0, "0.5000 ± 0"),
        (0.5, None, "0.5000"),
        (math.nan, 0.1, "nan"),
    ],
)
def test_a_spread_has_no_more_digits_than_it_deserves(mean: float, error: float | None, text: str) -> None:
    assert format_spread(mean, error) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.42, "0.4 s"), (12.3, "12 s"), (193.2, "3 min 13 s"), (7500, "2 h 5 min")]
)
def test_a_duration_is_in_units_that_suit_it(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(512, "512 B"), (25_276_502_016, "23.5 GiB"), (3 * 2**40, "3.0 TiB")])
def test_a_size_is_in_binary_units(count: int, text: str) -> None:
    assert format_bytes(count) == text
