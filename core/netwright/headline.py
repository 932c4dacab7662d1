"""Which numbers of a run come first: the best value of each metric, once the work was done."""

import math
from collections.abc import Callable, Iterable
from typing import Literal, TypeVar

from netwright.errors import UserError
from netwright.registry import registry
from netwright.result import Measurement

SPEEDUP = "speedup"
"""The metric of a ratio of latencies; more than 1 is faster."""

Direction = Literal["lower", "higher"]
ItemT = TypeVar("ItemT")


def direction_of(metric: str) -> Direction | None:
    """Whether a lower or a higher value of a metric is better; None for a metric that nobody registered."""
    try:
        return registry().metric(metric).direction
    except UserError:
        return "higher" if metric == SPEEDUP else None


def best_of(items: Iterable[ItemT], direction: Direction | None, value: Callable[[ItemT], float | None]) -> list[ItemT]:
    """The items with the best value; none when there is no direction, or when all values are the same."""
    numbers = [(number, item) for item in items if (number := value(item)) is not None and math.isfinite(number)]
    if direction is None or len({number for number, _ in numbers}) < 2:
        return []
    best = (min if direction == "lower" else max)(number for number, _ in numbers)
    return [item for number, item in numbers if number == best]


def final_rows(rows: Iterable[Measurement]) -> dict[str, list[Measurement]]:
    """Per metric, in order of appearance, the measured rows of the last stage in which it was measured."""
    table: dict[str, dict[str | None, list[Measurement]]] = {}
    for row in rows:
        if row.value is not None:
            table.setdefault(row.metric, {}).setdefault(row.stage, []).append(row)
    return {metric: list(stages.values())[-1] for metric, stages in table.items()}


def headlines(rows: Iterable[Measurement], *, limit: int = 4) -> list[Measurement]:
    """The best row of each metric with a known direction, a speed-up first; at most `limit`."""
    chosen = []
    for metric, candidates in final_rows(rows).items():
        direction = direction_of(metric)
        best = best_of(candidates, direction, lambda row: row.value)
        if best or (direction and len(candidates) == 1):
            chosen.append((best or candidates)[0])
    return sorted(chosen, key=lambda row: row.metric != SPEEDUP)[:limit]


def best_speedup(rows: Iterable[Measurement]) -> float | None:
    """The best speed-up that was measured at the end, or None."""
    values = [row.value for row in final_rows(rows).get(SPEEDUP, []) if row.value is not None]
    return max(values, default=None)
