"""Budgets: how much of a model may remain, as a fraction or in absolute numbers."""

import math
import re
from dataclasses import dataclass
from typing import Literal

from netwright.errors import UserError
from netwright.formatting import format_number

BudgetMetric = Literal["macs", "parameters", "latency"]

UNITS = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
TIME_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
_HOW = "a bare number is the fraction that remains, between 0 and 1; an absolute budget has a unit: 25k, 500M, 1.8G"
_HOW_LONG = "a bare number is the fraction that remains, between 0 and 1; an absolute budget has a unit: 800us, 12ms"


@dataclass(frozen=True)
class Target:
    """What a search aims at.

    Attributes:
        value: The absolute number to reach.
        tolerance: How far off is near enough, relative to `value`, on both sides.
    """

    value: float
    tolerance: float

    def error(self, achieved: float) -> float:
        """Relative distance from the value; negative means less than asked for."""
        return achieved / self.value - 1

    def contains(self, achieved: float) -> bool:
        """Whether `achieved` lies in the band."""
        return abs(self.error(achieved)) <= self.tolerance


@dataclass(frozen=True)
class Budget:
    """How much of one metric remains.

    Attributes:
        amount: The fraction of the unpruned model's, or an absolute number: a count, or milliseconds.
        absolute: Which of the two; counts from 1 on are always absolute.
    """

    metric: BudgetMetric
    amount: float
    absolute: bool = False

    def target(self, unpruned: float, tolerance: float) -> Target:
        """The absolute target for a model that has `unpruned` of the metric.

        Raises:
            UserError: The model fits an absolute budget already.
        """
        if not self.absolute and self.amount < 1:
            return Target(self.amount * unpruned, tolerance)
        if self.amount >= unpruned:
            unit = " ms" if self.metric == "latency" else ""
            raise UserError(
                f"'agent.budget.{self.metric}' leaves nothing to prune",
                why=f"the model has {format_number(unpruned)}{unit} and may keep {format_number(self.amount)}{unit}",
                remedy="ask for less than it has",
            )
        return Target(self.amount, tolerance)


def parse_amount(value: object) -> float:
    """Read a budget's amount: a fraction in (0, 1), or a number with a unit such as "1.8G".

    Returns:
        The fraction (below 1) or the absolute count (at least 1).

    Raises:
        ValueError: It is neither.
    """
    if isinstance(value, str):
        count = _with_unit(value, UNITS)
        if count is not None and count >= 1:
            return count
        raise ValueError(_HOW)
    return _fraction(value, _HOW)


def parse_latency(value: object) -> Budget:
    """Read a budget of latency: a fraction in (0, 1), or a time with a unit such as "12ms".

    Raises:
        ValueError: It is neither.
    """
    if isinstance(value, str):
        time_ms = _with_unit(value, TIME_UNITS)
        if time_ms:
            return Budget("latency", time_ms, absolute=True)
        raise ValueError(_HOW_LONG)
    return Budget("latency", _fraction(value, _HOW_LONG))


def _fraction(value: object, how: str) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1:
        return float(value)
    raise ValueError(how)


def _with_unit(text: str, units: dict[str, float]) -> float | None:
    match = re.fullmatch(rf"(\d+(?:\.\d*)?|\.\d+) ?({'|'.join(units)})", text.strip())
    number = float(match[1]) * units[match[2]] if match else None
    return number if number is not None and math.isfinite(number) else None
