"""Polynomials behind the sizes of tensors."""

from hypothesis import given
from hypothesis import strategies as st

from netwright_predictor.polynomial import Polynomial
from netwright_predictor.tracing.fitting import BASES, fit_bytes, fit_sum

SIZES = [{"B": b, "S": s, "C": c, "E": e} for b, s, c, e in ((2, 7, 17, 5), (3, 11, 23, 9), (5, 13, 31, 15))]
FURTHER = [*SIZES, *({"B": b, "S": s, "C": c, "E": e} for b, s, c, e in ((1, 19, 37, 21), (4, 17, 41, 11)))]
ELSEWHERE = {"B": 8, "S": 4096, "C": 100, "E": 77}


@given(st.sampled_from(BASES), st.integers(0, 10**9))
def test_a_multiple_of_a_usual_product_is_found(basis: Polynomial, factor: int) -> None:
    found = fit_bytes([factor * basis(at) for at in SIZES], SIZES)
    assert found is not None
    assert found(ELSEWHERE) == factor * basis(ELSEWHERE)


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_sum_of_two_is_found(per_token: int, constant: int) -> None:
    found = fit_bytes([per_token * at["B"] * at["S"] + constant for at in SIZES], SIZES)
    assert found is not None
    assert found(ELSEWHERE) == per_token * 8 * 4096 + constant


def test_a_sum_of_three_needs_more_sizes() -> None:
    values = [3 * at["B"] * at["S"] + 5 * at["B"] + 7 for at in FURTHER]
    found = fit_sum(values, FURTHER)
    assert found is not None
    assert found(ELSEWHERE) == 3 * 8 * 4096 + 5 * 8 + 7


def test_what_follows_no_formula_is_not_explained() -> None:
    assert fit_bytes([1, 10, 100], SIZES) is None
    assert fit_sum([1, 10, 100, 1000, 10000], FURTHER) is None
