"""The numbers that come first."""

from collections.abc import Callable

import pytest

from netwright.headline import best_of, best_speedup, direction_of, final_rows, headlines
from netwright.registry import Registry
from netwright.result import Measurement

METRICS = """
from netwright import hookimpl
from netwright.specs import MetricSpec

@hookimpl
def netwright_metrics():
    return [
        MetricSpec(name="wobble", summary="Wobble", target="inline:f", unit="mm", direction="lower", of="model"),
        MetricSpec(name="shine", summary="Shine", target="inline:f", unit="", direction="higher", of="model"),
    ]
"""


def row(label: str, metric: str, value: float | None, stage: str | None = None) -> Measurement:
    return Measurement(label=label, metric=metric, value=value, stage=stage)


def test_the_registry_knows_a_metrics_direction(register_plugin: Callable[[str], Registry]) -> None:
    register_plugin(METRICS)
    assert direction_of("wobble") == "lower"
    assert direction_of("shine") == "higher"
    assert direction_of("speedup") == "higher"
    assert direction_of("unheard_of") is None


@pytest.mark.parametrize(("direction", "best"), [("lower", [1.0, 1.0]), ("higher", [3.0]), (None, [])])
def test_the_best_values_are_marked(direction: object, best: list[float]) -> None:
    values = [1.0, 3.0, None, 1.0, float("nan")]
    assert best_of(values, direction, lambda value: value) == best  # type: ignore[arg-type]


def test_nothing_is_best_where_all_is_equal() -> None:
    assert best_of([2.0, 2.0], "lower", lambda value: value) == []


def test_rows_of_the_last_stage_are_final() -> None:
    rows = [row("a", "shine", 1, "before"), row("a", "shine", 2, "after"), row("b", "shine", None, "after")]
    assert final_rows(rows) == {"shine": [rows[1]]}


def test_headlines_are_the_best_of_known_metrics_with_the_speedup_first(
    register_plugin: Callable[[str], Registry],
) -> None:
    register_plugin(METRICS)
    rows = [
        row("a", "wobble", 3.0),
        row("b", "wobble", 2.0),
        row("a", "unheard_of", 9.0),
        row("a", "shine", 0.5),
        row("a", "speedup", 1.2),
        row("b", "speedup", 1.6),
    ]
    chosen = [(best.metric, best.label) for best in headlines(rows)]
    assert chosen == [("speedup", "b"), ("wobble", "b"), ("shine", "a")]


def test_the_best_speedup_is_that_of_the_last_stage() -> None:
    rows = [row("a", "speedup", 9.0, "rough"), row("a", "speedup", 1.5, "final"), row("b", "speedup", 1.66, "final")]
    assert best_speedup(rows) == 1.66
    assert best_speedup([row("a", "speedup", None)]) is None
