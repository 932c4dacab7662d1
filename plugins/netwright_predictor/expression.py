"""Expressions in the sizes of a call: formulas that were written as text, read without running any code."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from netwright_predictor.polynomial import VARIABLES

Value = Callable[[Mapping[str, int]], Fraction]

LONGEST = 2000
"""Characters that a formula may have."""
DEEPEST = 40
"""Parentheses that may be open at once."""
HIGHEST = 6
"""The greatest exponent."""
TOKEN = re.compile(r"\s*(\d+|[A-Za-z]+|\*\*|//|[-+*/(),])")
FUNCTIONS: Mapping[str, Callable[..., Fraction]] = {
    "ceil": lambda value: Fraction(ceil(value)),
    "min": min,
    "max": max,
}
ARGUMENTS = {"ceil": 1, "min": 2, "max": 2}


@dataclass(frozen=True)
class Expression:
    """A formula over +, -, *, /, //, ** with a whole exponent, ceil, min, max, whole numbers and `VARIABLES`.

    Exact: what "/" divides stays a fraction until the end.

    Attributes:
        text: As it was written.
    """

    text: str

    def __post_init__(self) -> None:
        """Read the text.

        Raises:
            ValueError: It is no such formula; the message says where.
        """
        object.__setattr__(self, "_value", _Parser(self.text).whole())

    def __call__(self, sizes: Mapping[str, int]) -> int:
        """The value at `sizes`.

        Raises:
            ArithmeticError: It is no whole number there, or divides by zero.
        """
        value: Fraction = vars(self)["_value"](sizes)
        if value.denominator != 1:
            raise ArithmeticError(f"{self} is {value} at {dict(sizes)}, which is no whole number")
        return int(value)

    def __str__(self) -> str:
        return self.text


class _Parser:
    """Recursive descent, one method per level of precedence."""

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise ValueError(f"a formula of {len(text)} characters: at most {LONGEST} are read")
        self._tokens: list[str] = []
        self._depth = 0
        position = 0
        while text[position:].strip():
            found = TOKEN.match(text, position)
            if found is None:
                raise ValueError(f"'{text[position:].strip()[:12]}' means nothing in a formula")
            self._tokens.append(found.group(1))
            position = found.end()
        self._tokens.append("")
        self._at = 0

    def whole(self) -> Value:
        value = self._sum()
        if self._next:
            raise ValueError(f"'{self._next}' is left over")
        return value

    @property
    def _next(self) -> str:
        return self._tokens[self._at]

    def _take(self) -> str:
        token = self._next
        self._at += 1
        return token

    def _expect(self, token: str) -> None:
        if self._take() != token:
            raise ValueError(f"'{token}' is missing before '{self._tokens[self._at - 1]}'")

    def _sum(self) -> Value:
        value = self._product()
        while self._next in ("+", "-"):
            value = _combined(self._take(), value, self._product())
        return value

    def _product(self) -> Value:
        value = self._signed()
        while self._next in ("*", "/", "//"):
            value = _combined(self._take(), value, self._signed())
        return value

    def _signed(self) -> Value:
        if self._next != "-":
            return self._power()
        self._take()
        value = self._nested(self._signed)
        return lambda sizes: -value(sizes)

    def _power(self) -> Value:
        base = self._atom()
        if self._next != "**":
            return base
        self._take()
        exponent = self._take()
        if not exponent.isdigit() or int(exponent) > HIGHEST:
            raise ValueError(f"'{exponent}' is no exponent from 0 to {HIGHEST}")
        return lambda sizes: base(sizes) ** int(exponent)

    def _atom(self) -> Value:
        token = self._take()
        if token.isdigit():
            number = Fraction(int(token))
            return lambda _: number
        if token in VARIABLES:
            return lambda sizes: Fraction(sizes.get(token, 0))
        if token == "(":
            value = self._nested(self._sum)
            self._expect(")")
            return value
        if token in FUNCTIONS:
            return self._call(token)
        raise ValueError(f"'{token}' is no number, size or function" if token else "it ends too soon")

    def _call(self, name: str) -> Value:
        self._expect("(")
        arguments = [self._nested(self._sum)]
        while self._next == ",":
            self._take()
            arguments.append(self._nested(self._sum))
        self._expect(")")
        if len(arguments) != ARGUMENTS[name]:
            raise ValueError(f"{name} takes {ARGUMENTS[name]} arguments, not {len(arguments)}")
        function = FUNCTIONS[name]
        return lambda sizes: function(*(each(sizes) for each in arguments))

    def _nested(self, read: Callable[[], Value]) -> Value:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ValueError(f"more than {DEEPEST} levels")
        value = read()
        self._depth -= 1
        return value


def _combined(operator: str, left: Value, right: Value) -> Value:
    match operator:
        case "+":
            return lambda sizes: left(sizes) + right(sizes)
        case "-":
            return lambda sizes: left(sizes) - right(sizes)
        case "*":
            return lambda sizes: left(sizes) * right(sizes)
        case "/":
            return lambda sizes: left(sizes) / right(sizes)
    return lambda sizes: Fraction(floor(left(sizes) / right(sizes)))
