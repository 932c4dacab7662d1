"""Labels side by side."""

from typing import Any

from netwright.collect.aggregate import Group
from netwright.collect.comparison import (
    comparison_plots,
    comparison_tables,
    full_table,
    paired_tables,
    pareto_plots,
    primary_metrics,
)
from netwright.result import PlotBlock, TableBlock


def group(label: str, metric: str, mean: float | None, **details: Any) -> Group:
    values: dict[str, Any] = {
        "case": "digits_cnn",
        "agent": "pruner",
        "settings": {},
        "stage": None,
        "unit": "",
        "seeds": [0, 1, 2],
        "standard_error": 0.01,
        "not_measured": [],
    }
    return Group(**{**values, "label": label, "metric": metric, "mean": mean, **details})


def only_table(groups: list[Group], *metrics: str) -> TableBlock:
    (table,) = comparison_tables(groups, metrics)
    return table


def test_labels_are_rows_and_metrics_are_columns() -> None:
    groups = [
        group(label, metric, value)
        for label, values in (("random", (1.2, 5.0)), ("taylor", (1.6, 6.0)))
        for metric, value in zip(("speedup", "error"), values, strict=True)
    ]
    table = only_table(groups, "speedup", "error")
    assert table.title == "pruner · digits_cnn"
    assert table.columns == ["label", "speedup", "error"]
    assert table.rows == [
        ["random", "1.200 ± 0.010", "5.000 ± 0.010"],
        ["taylor", "★ 1.600 ± 0.010", "6.000 ± 0.010"],
    ]
    assert "standard error over 3 seeds" in table.caption


def test_a_row_shows_its_last_stage() -> None:
    groups = [group("a", "speedup", 1.0, stage="before"), group("a", "speedup", 1.5, stage="after")]
    assert only_table(groups, "speedup").rows == [["a", "1.500 ± 0.010"]]


def test_a_last_stage_that_was_not_measured_gives_way_to_the_one_before() -> None:
    groups = [group("a", "speedup", 1.0, stage="before"), group("a", "speedup", None, stage="after", seeds=[])]
    assert only_table(groups, "speedup").rows == [["a", "1.000 ± 0.010"]]


def test_settings_name_rows_and_agents_and_cases_have_tables_of_their_own() -> None:
    groups = [
        group("a", "speedup", 1.0, settings={"agent.budget.macs": "0.3"}),
        group("a", "speedup", 2.0, settings={"agent.budget.macs": "0.5"}),
        group("a", "speedup", 3.0, case="other"),
        group("a", "speedup", 4.0, agent="benchmark", case=None),
    ]
    tables = comparison_tables(groups, ["speedup"])
    assert [table.title for table in tables] == ["pruner · digits_cnn", "pruner · other", "benchmark"]
    assert [row[0] for row in tables[0].rows] == ["a · macs=0.3", "a · macs=0.5"]


def test_what_was_not_measured_says_so_and_what_is_absent_is_empty() -> None:
    groups = [group("a", "speedup", None, seeds=[]), group("b", "other", 1.0), group("b", "speedup", 2.0)]
    assert only_table(groups, "speedup", "other").rows == [
        ["a", "not measured", ""],
        ["b", "2.000 ± 0.010", "1.000 ± 0.010"],
    ]


def test_a_unit_is_shown_unless_the_name_tells_it() -> None:
    groups = [
        group("a", "latency_ms", 1.0, unit="ms"),
        group("a", "throughput", 1.0, unit="samples/s"),
    ]
    table = only_table(groups, "latency_ms", "throughput")
    assert table.columns == ["label", "latency_ms", "throughput [samples/s]"]


def test_the_caption_says_how_many_seeds() -> None:
    one = [group("a", "speedup", 1.0, seeds=[0], standard_error=None)]
    assert only_table(one, "speedup").caption == "one seed; ★ best"
    two = [*one, group("b", "speedup", 1.0, seeds=[0, 1])]
    assert only_table(two, "speedup").caption == "mean ± standard error over 1 to 2 seeds; ★ best"


def test_known_metrics_come_first() -> None:
    groups = [group("a", name, 1.0) for name in ("x1", "x2", "speedup", "x3", "x4")] + [group("a", "none", None)]
    assert primary_metrics(groups) == ["speedup", "x1", "x2", "x3"]


def test_bars_carry_means_and_standard_errors() -> None:
    (plot,) = comparison_plots([group("a", "speedup", 1.0), group("b", "speedup", 2.0)], ["speedup", "absent"])
    assert isinstance(plot, PlotBlock)
    assert plot.series[0].x == ["a", "b"]
    assert plot.series[0].low == [0.99, 1.99]
    assert plot.series[0].high == [1.01, 2.01]


def test_one_bar_is_no_comparison() -> None:
    assert comparison_plots([group("a", "speedup", 1.0)], ["speedup"]) == []


def test_the_full_table_has_everything() -> None:
    table = full_table([group("a", "speedup", 1.0, settings={"k": "v"}, stage="s")], ["k"])
    assert table.columns[:6] == ["case", "agent", "k", "label", "stage", "metric"]
    assert table.rows == [["digits_cnn", "pruner", "v", "a", "s", "speedup", "3", "1.000 ± 0.010", ""]]


def test_labels_are_tested_against_the_best_one_pair_by_pair() -> None:
    groups = [
        group("random", "speedup", 1.0, values=[0.9, 1.0, 1.1]),
        group("taylor", "speedup", 1.5, values=[1.3, 1.5, 1.7]),
        group("other", "speedup", 1.2, seeds=[7], values=[1.2]),
    ]
    (table,) = paired_tables(groups, ["speedup"])
    ((metric, label, best, seeds, spread, p_value),) = table.rows
    assert (metric, label, best, seeds) == ("speedup", "random", "taylor", "3")
    assert spread.startswith("-0.500 ± 0.058")
    assert 0 < float(p_value) < 0.05


def test_accuracy_is_plotted_against_costs_with_the_front_named() -> None:
    points = {"good": (1e6, 0.9), "worse": (2e6, 0.8), "small": (5e5, 0.7)}
    groups = [
        group(label, metric, value)
        for label, values in points.items()
        for metric, value in zip(("macs", "accuracy"), values, strict=True)
    ]
    (plot,) = pareto_plots(groups)
    assert (plot.x_label, plot.y_label, plot.mark) == ("macs", "accuracy", "points")
    assert [series.label for series in plot.series] == list(points)
    assert plot.caption.startswith("On the Pareto front: small, good.")
    assert pareto_plots(groups[:2]) == []
