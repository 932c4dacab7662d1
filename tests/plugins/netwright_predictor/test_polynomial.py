from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright_predictor.expression import Expression
from netwright_predictor.polynomial import FACTORS, PARTS, VARIABLES, Polynomial, fit, simplest

powers = st.tuples(*(st.integers(0, 2) for _ in FACTORS))
coefficients = st.fractions(min_value=-50, max_value=50, max_denominator=4).filter(bool)
polynomials = st.dictionaries(powers, coefficients, max_size=4).map(Polynomial)
sizes = st.fixed_dictionaries({name: st.integers(0, 30) for name in VARIABLES})

B, S, C = (Polynomial.variable(name) for name in "BSC")


def value(polynomial: Polynomial, at: dict[str, int]) -> Fraction:
    """By hand, where a value may be no whole number."""
    total = Fraction(0)
    for exponents, coefficient in polynomial.terms.items():
        product = coefficient
        for name, power in zip(FACTORS, exponents, strict=True):
            product *= (PARTS[name](at["S"]) if name in PARTS else at[name]) ** power
        total += product
    return total


@settings(max_examples=60)
@given(polynomials, polynomials, polynomials, sizes)
def test_sums_and_products_are_those_of_values(
    left: Polynomial, right: Polynomial, third: Polynomial, at: dict[str, int]
) -> None:
    assert value(left + right, at) == value(left, at) + value(right, at)
    assert value(left * right, at) == value(left, at) * value(right, at)
    assert left * (right + third) == left * right + left * third
    assert left - left == Polynomial()
    assert hash(left + right) == hash(right + left)


@settings(max_examples=60)
@given(polynomials, sizes)
def test_the_text_of_a_polynomial_is_an_expression_of_the_same_value(
    polynomial: Polynomial, at: dict[str, int]
) -> None:
    whole = polynomial * 12  # a multiple of all denominators
    assert Expression(str(whole))(at) == whole(at)


@settings(max_examples=40)
@given(st.lists(coefficients, min_size=3, max_size=3))
def test_a_fit_recovers_the_coefficients(wanted: list[Fraction]) -> None:
    basis = [B, B * S, B * S * S]
    polynomial = sum((each * Polynomial.constant(c * 12) for each, c in zip(basis, wanted, strict=True)), Polynomial())
    at = [{"B": b, "S": s} for b, s in ((1, 2), (2, 7), (3, 11), (5, 13), (2, 1))]
    assert fit([polynomial(each) for each in at], at, basis) == polynomial


def test_a_fit_finds_out_a_wrong_basis() -> None:
    at = [{"B": 2, "S": 7}, {"B": 3, "S": 11}, {"B": 5, "S": 13}]
    assert fit([7, 8, 9], at, [B * S]) is None


def test_a_fit_with_as_many_coefficients_as_counts_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 1"):
        fit([7], [{"B": 2, "S": 7}], [B])


@pytest.mark.parametrize("wanted", [Polynomial.constant(7), B, S + C, B * (S + C), B * S, S + 3, C * 2])
def test_sizes_of_tensors_are_recognized(wanted: Polynomial) -> None:
    at = [{"B": 2, "S": 7, "C": 17}, {"B": 3, "S": 11, "C": 23}, {"B": 5, "S": 13, "C": 31}]
    assert simplest([wanted(each) for each in at], at) == wanted


@pytest.mark.parametrize("more", [1, 36, 577])
@pytest.mark.parametrize("length", [S, S + C], ids=["new", "all"])
def test_a_sequence_that_something_of_one_length_goes_before_is_recognized(length: Polynomial, more: int) -> None:
    at = [{"B": 2, "S": 7, "C": 17}, {"B": 3, "S": 11, "C": 23}, {"B": 5, "S": 13, "C": 31}]
    for wanted in (length + more, B * (length + more)):
        assert simplest([wanted(each) for each in at], at) == wanted


@pytest.mark.parametrize("name", PARTS)
def test_lengths_after_pooling_are_recognized(name: str) -> None:
    at = [{"B": 2, "S": 7}, {"B": 3, "S": 11}, {"B": 5, "S": 13}]
    pooled = Polynomial.monomial({name: 1})
    for wanted in (pooled, pooled * 8, B * pooled):
        found = simplest([wanted(each) for each in at], at)
        assert found is not None
        assert [found({"B": 2, "S": length}) for length in range(4, 40)] == [
            wanted({"B": 2, "S": length}) for length in range(4, 40)
        ]


def test_a_value_that_is_no_whole_number_is_refused() -> None:
    with pytest.raises(ArithmeticError, match="no whole number"):
        (S * Polynomial.constant(Fraction(1, 2)))({"S": 3})
    assert (S * Polynomial.constant(Fraction(1, 2)))({"S": 4}) == 2


@pytest.mark.parametrize(
    ("polynomial", "text"),
    [
        (B * S * S * 2 + 3, "2*B*S**2 + 3"),
        (S - B, "-1*B + S"),
        (Polynomial.constant(Fraction(1, 2)) * S, "(1/2)*S"),
        (Polynomial(), "0"),
    ],
)
def test_people_can_read_it(polynomial: Polynomial, text: str) -> None:
    assert set(str(polynomial).split(" + ")) == set(text.split(" + "))
