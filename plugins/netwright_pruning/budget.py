"""Budgets: how much of a model may remain, as a fraction or in absolute numbers."""

import math
import re
from dataclasses import dataclass
from typing import Literal

from netwright.errors import UserError
from netwright.formatting import format_number

BudgetMetric = Literal["macs", "parameters"]

UNITS = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_HOW = "a bare number is the fraction that remains, between 0 and 1; an absolute budget has a unit: 25k, 500M, 1.8G"


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
        amount: Below 1, the fraction of the unpruned model's; from 1 on, an absolute count.
    """

    metric: BudgetMetric
    amount: float

    def target(self, unpruned: int, tolerance: float) -> Target:
        """The absolute target for a model that has `unpruned` of the metric.

        Raises:
            UserError: The model fits an absolute budget already.
        """
        if self.amount < 1:
            return Target(self.amount * unpruned, tolerance)
        if self.amount >= unpruned:
            raise UserError(
                f"'agent.budget.{self.metric}' leaves nothing to prune",
                why=f"the model has {format_number(unpruned)} and may keep {format_number(self.amount)}",
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
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if 0 < value < 1:
            return float(value)
        raise ValueError(_HOW)
    if isinstance(value, str) and (match := re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+) ?([kMGT])", value.strip())):
        count = float(match[1]) * UNITS[match[2]]
        if math.isfinite(count) and count >= 1:
            return count
    raise ValueError(_HOW)
