"""Which numbers of a run come first: those of its best label, once the work was done."""

import math
from collections.abc import Callable, Iterable
from typing import Literal, TypeVar

from netwright.errors import UserError
from netwright.registry import registry
from netwright.result import Measurement, Result

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


def importance_of(metric: str) -> int:
    """Where a metric stands among others: a speed-up first, then how well a model predicts, then other known ones."""
    if metric == SPEEDUP:
        return 0
    try:
        return 1 if registry().metric(metric).of == "predictions" else 2
    except UserError:
        return 3


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


def best_label(result: Result) -> str | None:
    """The label that stands for a run: what the agent's metrics call `best`, else whose most important metric is best.

    None where no metric with a known direction was measured.
    """
    finals = final_rows(result.measurements)
    chosen = result.metrics.get("best")
    if any(row.label == chosen for rows in finals.values() for row in rows):
        return str(chosen)
    for metric in sorted(finals, key=importance_of):
        direction = direction_of(metric)
        if direction:
            best = best_of(finals[metric], direction, lambda row: row.value)
            return (best or finals[metric])[0].label
    return None


def headlines(result: Result, *, limit: int = 6) -> list[Measurement]:
    """The final figures of the run's best label, the important first: one label's, never each metric's own best."""
    label = best_label(result)
    finals = final_rows(result.measurements)
    rows = [row for metric in finals for row in finals[metric] if row.label == label and direction_of(metric)]
    return sorted(rows, key=lambda row: importance_of(row.metric))[:limit]


def headline_speedup(result: Result) -> float | None:
    """The speed-up of the run's best label, or None where none was measured."""
    return next((row.value for row in headlines(result) if row.metric == SPEEDUP), None)
