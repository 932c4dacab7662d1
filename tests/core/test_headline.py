"""The numbers that come first."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from netwright.headline import best_label, best_of, direction_of, final_rows, headline_speedup, headlines, importance_of
from netwright.registry import Registry
from netwright.result import Measurement, Result

METRICS = """
from netwright import hookimpl
from netwright.specs import MetricSpec

@hookimpl
def netwright_metrics():
    return [
        MetricSpec(name="wobble", summary="Wobble", target="inline:f", unit="mm", direction="lower", of="model"),
        MetricSpec(name="shine", summary="Shine", target="inline:f", unit="", direction="higher", of="predictions"),
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


def result(*rows: Measurement, **metrics: object) -> Result:
    return Result(
        status="ok",
        agent="pruner",
        case=None,
        config={},
        config_hash="",
        seed=0,
        started=datetime(2026, 1, 1, tzinfo=UTC),
        duration_s=1.0,
        measurements=list(rows),
        metrics=dict(metrics),
    )


ROWS = (
    row("a", "wobble", 3.0),
    row("b", "wobble", 2.0),
    row("a", "unheard_of", 9.0),
    row("b", "shine", 0.5),
    row("a", "shine", 0.9),
    row("a", "speedup", 1.2),
    row("b", "speedup", 1.6),
)


def test_headlines_are_those_of_the_fastest_label(register_plugin: Callable[[str], Registry]) -> None:
    register_plugin(METRICS)
    figures = [(best.metric, best.label, best.value) for best in headlines(result(*ROWS))]
    assert figures == [("speedup", "b", 1.6), ("shine", "b", 0.5), ("wobble", "b", 2.0)]


def test_an_agent_may_name_the_best_label_itself(register_plugin: Callable[[str], Registry]) -> None:
    register_plugin(METRICS)
    assert best_label(result(*ROWS, best="a")) == "a"
    assert headline_speedup(result(*ROWS, best="a")) == 1.2
    assert best_label(result(*ROWS, best="neither")) == "b"


def test_without_a_speedup_predictions_decide_before_costs(register_plugin: Callable[[str], Registry]) -> None:
    register_plugin(METRICS)
    assert [importance_of(name) for name in ("speedup", "shine", "wobble", "unheard_of")] == [0, 1, 2, 3]
    assert best_label(result(*ROWS[:5])) == "a"
    assert best_label(result(*ROWS[:3])) == "b"
    assert headline_speedup(result(*ROWS[:5])) is None
    assert headlines(result(ROWS[2])) == []


def test_only_the_last_stage_counts() -> None:
    rows = [row("a", "speedup", 9.0, "rough"), row("a", "speedup", 1.5, "final"), row("b", "speedup", 1.66, "final")]
    assert headline_speedup(result(*rows)) == 1.66
    assert headline_speedup(result(row("a", "speedup", None))) is None
