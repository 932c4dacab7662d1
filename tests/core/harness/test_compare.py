"""Tests of comparing values with the oracle's."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from netwright.cases import Tolerance
from netwright.harness.compare import Yardstick, all_finite, complaint, errors, is_rounding, misplaced, rms

EPS = torch.finfo(torch.float32).eps
TOLERANCE = Tolerance(factor=4, floor_eps=8)


def yardstick(oracle: Tensor, eager: Tensor) -> Yardstick:
    return Yardstick(oracle, eager, *errors(eager, oracle), rms(oracle), EPS)


def test_the_limit_is_a_multiple_of_eagers_own_error() -> None:
    oracle = torch.ones(4, dtype=torch.float64)
    measure = yardstick(oracle, torch.tensor([1.0, 1.0, 1.0, 1.001]))
    assert complaint(torch.tensor([1.0, 1.0, 1.0, 1.0039]), measure, TOLERANCE) is None
    assert "limit 0.004" in str(complaint(torch.tensor([1.0, 1.0, 1.0, 1.0041]), measure, TOLERANCE))


@given(st.floats(1e-6, 1e6))
def test_the_floor_scales_with_the_output(scale: float) -> None:
    oracle = scale * torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64)
    exact = Yardstick(oracle, oracle.float(), 0.0, 0.0, rms(oracle), EPS)
    assert complaint(oracle + 7 * EPS * scale, exact, TOLERANCE) is None
    assert complaint(oracle + 9 * EPS * scale, exact, TOLERANCE) is not None


def test_many_errors_below_the_largest_allowed_are_still_too_many() -> None:
    oracle = torch.ones(1000, dtype=torch.float64)
    outlier = torch.ones(1000)
    outlier[0] += 0.01
    measure = yardstick(oracle, outlier)
    assert "rms" in str(complaint(torch.full((1000,), 1.01), measure, TOLERANCE))


def test_a_more_accurate_result_passes() -> None:
    oracle = torch.ones(3, dtype=torch.float64) / 3
    assert complaint(oracle.float(), yardstick(oracle, oracle.float() + 1e-3), TOLERANCE) is None


def test_integers_must_be_exact() -> None:
    measure = yardstick(torch.tensor([1, 2, 3]), torch.tensor([1, 2, 3]))
    assert complaint(torch.tensor([1, 2, 3]), measure, TOLERANCE) is None
    assert complaint(torch.tensor([1, 2, 4]), measure, TOLERANCE) == "1 of 3 elements differ"


def test_an_index_may_be_the_oracles_where_eager_errs() -> None:
    measure = yardstick(torch.tensor([1, 2]), torch.tensor([1, 3]))
    assert complaint(torch.tensor([1, 2]), measure, TOLERANCE) is None
    assert complaint(torch.tensor([3, 2]), measure, TOLERANCE) is not None


@pytest.mark.parametrize("special", [torch.nan, torch.inf, -torch.inf])
def test_special_values_stand_where_they_should(special: float) -> None:
    values = torch.tensor([1.0, special])
    measure = yardstick(values.double(), values)
    assert complaint(values, measure, TOLERANCE) is None
    assert misplaced(torch.tensor([1.0, 0.0]), measure) == 1
    assert misplaced(torch.tensor([special, special]), measure) == 1
    assert complaint(torch.tensor([1.0, 0.0]), measure, TOLERANCE) is not None


def test_sums_in_another_order_may_make_nan_of_an_infinity() -> None:
    infinite = torch.tensor([1.0, torch.inf])
    measure = yardstick(infinite.double(), infinite)
    assert misplaced(torch.tensor([1.0, torch.nan]), measure) == 1
    assert misplaced(torch.tensor([1.0, torch.nan]), measure, strict=False) == 0
    assert misplaced(torch.tensor([torch.nan, torch.nan]), measure, strict=False) == 1
    assert misplaced(torch.tensor([1.0, 1.0]), measure, strict=False) == 1


def test_a_value_may_be_finite_where_only_eager_overflows() -> None:
    measure = yardstick(torch.tensor([1e39], dtype=torch.float64), torch.tensor([torch.inf]))
    assert misplaced(torch.tensor([1e38]), measure) == 0
    assert misplaced(torch.tensor([torch.nan]), measure) == 1


def test_errors_of_empty_tensors_are_none() -> None:
    assert errors(torch.zeros(0), torch.zeros(0)) == (0.0, 0.0)
    assert rms(torch.tensor([torch.nan])) == 0.0


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.float8_e4m3fn])
@pytest.mark.parametrize("odd", [None, float("nan"), float("inf"), float("-inf")])
def test_whether_all_values_are_finite(dtype: torch.dtype, odd: float | None) -> None:
    values = torch.linspace(-2, 2, 6).reshape(2, 3)
    if odd is not None:
        values[1, 1] = odd
    cast = values.to(dtype)
    assert all_finite(cast) == bool(cast.double().isfinite().all())


def test_whether_complex_whole_and_no_numbers_are_finite() -> None:
    assert all_finite(torch.tensor([1 + 2j]))
    assert not all_finite(torch.tensor([complex(1, float("inf"))]))
    assert all_finite(torch.tensor([1, 2]))
    assert all_finite(torch.empty(0))


def test_errors_are_those_where_both_are_finite() -> None:
    nan, inf = float("nan"), float("inf")
    values, oracle = torch.tensor([1.5, nan, 2.0, inf]), torch.tensor([1.0, 2.0, 4.0, 3.0]).double()
    assert errors(values, oracle) == pytest.approx((2.0, (4.25 / 2) ** 0.5))
    assert errors(values[:1], oracle[:1]) == (0.5, 0.5)
    assert errors(values[1:2], oracle[1:2]) == errors(values[:0], oracle[:0]) == (0.0, 0.0)
    assert rms(values) == pytest.approx((6.25 / 2) ** 0.5)
    assert rms(values[1:2]) == 0.0


def test_rounding_is_what_another_order_makes() -> None:
    before = torch.tensor([1.0, 1e-9, -2.0])
    assert is_rounding(before * (1 + 3e-7), before)
    assert not is_rounding(before * 1.001, before)
    assert not is_rounding(before.double(), before)
    assert not is_rounding(before[:2], before)
    assert not is_rounding(torch.tensor([1.0, torch.nan, -2.0]), before)
    assert not is_rounding(torch.tensor([1, 2]), torch.tensor([1, 2]))
