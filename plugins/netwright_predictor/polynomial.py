"""Polynomials in the sizes of a call: exact, evaluated at any size, found from a few."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from math import prod
from typing import Final

VARIABLES: Final = ("B", "S", "C", "E")
"""Sequences per batch; new tokens per sequence; tokens that a cache holds already; positions of an encoder."""

PARTS: Final[Mapping[str, Callable[[int], int]]] = {
    "ceil(S/2)": lambda length: -(-length // 2),
    "(S//2)": lambda length: length // 2,
    "ceil(S/4)": lambda length: -(-length // 4),
    "(S//4)": lambda length: length // 4,
}
"""What pooling leaves of new tokens, where the last window is filled up and where it is left out."""

FACTORS: Final = (*VARIABLES, *PARTS)
"""What polynomials are made of: variables, and parts of one of them, which count as variables of their own."""

Powers = tuple[int, ...]
"""The exponent of each factor."""
CONSTANT: Final[Powers] = (0,) * len(FACTORS)

SIMPLE: Final[tuple[Mapping[str, int], ...]] = (
    *({name: 1} for name in VARIABLES),
    {"B": 1, "S": 1},
    {"B": 1, "C": 1},
    {"B": 1, "E": 1},
)
"""The products that sizes of tensors are usually made of."""

POOLED: Final[tuple[Mapping[str, int], ...]] = tuple(
    powers for name in PARTS for powers in ({name: 1}, {"B": 1, name: 1})
)
"""Those that they are made of after pooling."""


@dataclass(frozen=True)
class Polynomial:
    """A polynomial in `FACTORS` with rational coefficients.

    Attributes:
        terms: Coefficients by powers; no coefficient is 0.
    """

    terms: Mapping[Powers, Fraction] = field(default_factory=dict)

    @classmethod
    def constant(cls, value: int | Fraction) -> "Polynomial":
        """The same value at all sizes."""
        return cls({CONSTANT: Fraction(value)} if value else {})

    @classmethod
    def variable(cls, name: str) -> "Polynomial":
        """One of the sizes."""
        return cls.monomial({name: 1})

    @classmethod
    def monomial(cls, powers: Mapping[str, int]) -> "Polynomial":
        """A product of powers of sizes."""
        return cls({tuple(powers.get(name, 0) for name in FACTORS): Fraction(1)})

    def __add__(self, other: "Polynomial | int") -> "Polynomial":
        terms = dict(self.terms)
        for powers, value in _polynomial(other).terms.items():
            terms[powers] = terms.get(powers, Fraction(0)) + value
        return Polynomial({powers: value for powers, value in terms.items() if value})

    def __mul__(self, other: "Polynomial | int") -> "Polynomial":
        result = Polynomial()
        for (ours, left), (theirs, right) in product(self.terms.items(), _polynomial(other).terms.items()):
            powers = tuple(a + b for a, b in zip(ours, theirs, strict=True))
            result = result + Polynomial({powers: left * right})
        return result

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> "Polynomial":
        return self * -1

    def __sub__(self, other: "Polynomial | int") -> "Polynomial":
        return self + -_polynomial(other)

    def __hash__(self) -> int:
        return hash(frozenset(self.terms.items()))

    def __call__(self, sizes: Mapping[str, int]) -> int:
        """The value at `sizes`.

        Raises:
            ArithmeticError: It is no integer there, so that this is no formula of a size.
        """
        value = sum(
            coefficient
            * prod(_size(name, sizes) ** power for name, power in zip(FACTORS, powers, strict=True) if power)
            for powers, coefficient in self.terms.items()
        )
        if Fraction(value).denominator != 1:
            raise ArithmeticError(f"{self} is {value} at {dict(sizes)}, which is no whole number")
        return int(value)

    def as_constant(self) -> int | None:
        """The value where it is the same at all sizes and a whole number, else None."""
        value = self.terms.get(CONSTANT, Fraction(0))
        return int(value) if value.denominator == 1 and not self.terms.keys() - {CONSTANT} else None

    def __str__(self) -> str:
        """As people write it, e.g. "2*B*S**2 + 3"."""
        if not self.terms:
            return "0"
        ordered = sorted(self.terms.items(), key=lambda term: (sum(term[0]), term[0]), reverse=True)
        return " + ".join(_term(powers, value) for powers, value in ordered).replace("+ -", "- ")


def fit(values: Sequence[int], sizes: Sequence[Mapping[str, int]], basis: Sequence[Polynomial]) -> Polynomial | None:
    """The combination of `basis` that has `values` at `sizes`, or None where there is none or more than one.

    Exact: Gaussian elimination over the rationals.

    Args:
        values: What was seen.
        sizes: Where; at least one more than `basis` has members, so that a wrong basis is found out.
        basis: Independent polynomials.

    Raises:
        ValueError: There are too few sizes to find out a wrong basis.
    """
    if len(sizes) <= len(basis):
        raise ValueError(f"{len(basis)} coefficients need more than {len(sizes)} sizes")
    coefficients = solve(values, [[Fraction(each(at)) for each in basis] for at in sizes])
    if coefficients is None:
        return None
    return sum(
        (each * Polynomial.constant(value) for each, value in zip(basis, coefficients, strict=True)), Polynomial()
    )


def solve(values: Sequence[int], columns: Sequence[Sequence[Fraction]]) -> list[Fraction] | None:
    """The coefficients by which the columns of each row add up to its value, or None for none or more than one answer.

    Args:
        columns: One row per value; there may be more rows than columns.
    """
    rows = [[*row, Fraction(value)] for row, value in zip(columns, values, strict=True)]
    width = len(rows[0]) - 1
    for column in range(width):
        pivot = next((number for number in range(column, len(rows)) if rows[number][column]), None)
        if pivot is None:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for number, row in enumerate(rows):
            if number != column and row[column]:
                factor = row[column] / rows[column][column]
                rows[number] = [a - factor * b for a, b in zip(row, rows[column], strict=True)]
    if any(row[-1] for row in rows[width:]):
        return None
    return [rows[column][-1] / rows[column][column] for column in range(width)]


def simplest(values: Sequence[int], sizes: Sequence[Mapping[str, int]]) -> Polynomial | None:
    """The simplest polynomial with `values` at `sizes`: a constant, a multiple of a usual product, or more than it.

    Returns:
        None where none of these fits all.
    """
    return next((each for each in _candidates(values, sizes) if _agrees(each, values, sizes)), None)


def _candidates(values: Sequence[int], sizes: Sequence[Mapping[str, int]]) -> Iterator[Polynomial]:
    yield Polynomial.constant(values[0])
    products = [Polynomial.monomial(powers) for powers in SIMPLE]
    products += [Polynomial.variable("S") + Polynomial.variable("C")]
    products += [Polynomial.variable("B") * products[-1]]
    for each in products:
        yield from _multiple(each, values[0], sizes[0])
    for each in products:
        yield each + (values[0] - each(sizes[0]))
    batch = Polynomial.variable("B")
    for each in (*products[1 : len(VARIABLES)], products[len(SIMPLE)]):  # so many more in each sequence, as of an image
        more = Fraction(values[0], batch(sizes[0])) - each(sizes[0])
        yield batch * (each + Polynomial.constant(more))
    for powers in POOLED:  # last, for twice half of an odd length is one more than it
        yield from _multiple(Polynomial.monomial(powers), values[0], sizes[0])


def _multiple(each: Polynomial, value: int, at: Mapping[str, int]) -> Iterator[Polynomial]:
    if first := each(at):
        yield each * Polynomial({CONSTANT: Fraction(value, first)})


def _agrees(candidate: Polynomial, values: Sequence[int], sizes: Sequence[Mapping[str, int]]) -> bool:
    try:
        return all(candidate(at) == value for value, at in zip(values, sizes, strict=True))
    except ArithmeticError:
        return False


def _size(name: str, sizes: Mapping[str, int]) -> int:
    return PARTS[name](sizes.get("S", 0)) if name in PARTS else sizes.get(name, 0)


def _polynomial(value: Polynomial | int) -> Polynomial:
    return value if isinstance(value, Polynomial) else Polynomial.constant(value)


def _term(powers: Powers, value: Fraction) -> str:
    factors = [name if power == 1 else f"{name}**{power}" for name, power in zip(FACTORS, powers, strict=True) if power]
    if not factors:
        return str(value)
    if value == 1:
        return "*".join(factors)
    return "*".join([str(value) if value.denominator == 1 else f"({value})", *factors])
