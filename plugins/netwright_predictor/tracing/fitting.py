"""Fitting: the polynomial behind the sizes of a tensor that was seen at a few sizes of the input."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import combinations

from netwright_predictor.polynomial import CONSTANT, Polynomial, fit

_B, _S, _C, _E = (Polynomial.variable(name) for name in "BSCE")
_ONE = Polynomial.constant(1)
_KEYS = _S + _C
BASES: tuple[Polynomial, ...] = (
    _ONE, _B * _S, _B * _S * _S, _B, _S, _S * _S, _B * _E, _B * _E * _E, _E, _E * _E, _B * _S * _E,
    _B * _KEYS, _B * _S * _KEYS, _KEYS, _S * _KEYS, _B * _C, _C, _B * _S * _C, _B * _B * _S * _S, _B * _B,
    _B * _B * _S, _S * _E, _B * _B * _E, _B * _B * _E * _E,
)  # fmt: skip
"""What the number of elements of a tensor may be a multiple of, most usual first."""


def fit_bytes(values: Sequence[int], sizes: Sequence[Mapping[str, int]]) -> Polynomial | None:
    """The simplest polynomial that has `values` at `sizes`: a multiple of one usual product, or a sum of two.

    Args:
        values: Not negative.
        sizes: At least three, so that a sum of two that fits is no accident.

    Returns:
        None where no such polynomial fits all.
    """
    for basis in BASES:
        seen = [basis(at) for at in sizes]
        if seen[0] and all(value * seen[0] == values[0] * its for value, its in zip(values, seen, strict=True)):
            return basis * Polynomial({CONSTANT: Fraction(values[0], seen[0])}) if values[0] else Polynomial()
    for pair in combinations(BASES, 2):
        if len(sizes) > 2 and (found := fit(values, sizes, pair)) is not None:
            return found
    return None


def fit_sum(values: Sequence[int], sizes: Sequence[Mapping[str, int]]) -> Polynomial | None:
    """The simplest polynomial that has `values` at `sizes`, where they are sums over many tensors.

    Args:
        values: Not negative.
        sizes: At least five, so that a sum of three that fits is no accident.

    Returns:
        None where no sum of up to three usual products fits all.
    """
    found = fit_bytes(values, sizes)
    if found is not None or len(sizes) < 5:
        return found
    triples = (fit(values, sizes, triple) for triple in combinations(BASES[:7], 3))
    return next((each for each in triples if each is not None), None)
