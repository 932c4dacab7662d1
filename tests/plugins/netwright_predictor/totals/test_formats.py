"""Bytes of number formats, scales included."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.errors import UserError
from netwright_predictor.totals.formats import FORMATS, compute_dtype, storage_format


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bfloat16", 2 * 4096 * 4096),
        ("int8", 4096 * 4096 + 4 * 4096),  # a float32 scale for each of 4096 rows
        ("fp8", 4096 * 4096 + 4 * 4096),
        ("int4", 4096 * 4096 // 2 + 4096 * 32 * 20 // 8),  # 32 groups of 128 per row, 16 + 4 bits each
        ("mxfp4", 4096 * 4096 // 2 + 4096 * 128),  # 128 blocks of 32 per row, a byte each
        ("nf4", 4096 * 4096 // 2 + 4096 * 64 * 4),  # 64 blocks of 64 per row, 4 bytes each
    ],
)
def test_a_matrix_takes_its_numbers_and_its_scales(name: str, expected: int) -> None:
    assert storage_format(name).bytes(4096 * 4096, rows=4096) == expected


def test_a_group_that_a_row_does_not_fill_needs_a_scale_all_the_same() -> None:
    assert storage_format("mxfp4").bytes(3 * 40, rows=3) == 3 * 40 // 2 + 3 * 2


@given(st.sampled_from(sorted(FORMATS)), st.integers(1, 64), st.integers(1, 512))
def test_more_rows_never_take_less(name: str, rows: int, columns: int) -> None:
    number_format = storage_format(name)
    assert number_format.bytes(rows * columns, rows) <= number_format.bytes((rows + 1) * columns, rows + 1)


def test_nothing_takes_nothing() -> None:
    assert all(each.bytes(0, rows=0) == 0 for each in FORMATS.values())


def test_short_names_are_known() -> None:
    assert compute_dtype("bf16") == "bfloat16"


def test_an_unknown_dtype_is_one_clear_line() -> None:
    with pytest.raises(UserError, match="did you mean 'bfloat16'"):
        compute_dtype("bfloat")
    with pytest.raises(UserError, match="no number format named 'fp3'"):
        storage_format("fp3")
