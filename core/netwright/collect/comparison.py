"""Groups of measurements side by side: the tables and plots in which a collection shows labels against each other."""

from collections.abc import Iterable, Sequence

from netwright.collect.aggregate import Group
from netwright.collect.paired import paired_by_seed
from netwright.collect.pareto import pareto_front
from netwright.formatting import format_spread
from netwright.headline import best_of, direction_of, importance_of
from netwright.render import BEST
from netwright.result import PlotBlock, Series, TableBlock

PRIMARY = 4
"""As many metrics as a terminal of 80 columns shows beside the labels."""
SCORES = ("accuracy",)
COSTS = ("macs", "parameters", "latency_ms")
"""What a Pareto plot sets against each other, where both were measured."""


def primary_metrics(groups: Iterable[Group]) -> list[str]:
    """The metrics to show when nobody asks for some: the most important ones."""
    measured = dict.fromkeys(group.metric for group in groups if group.mean is not None)
    return sorted(measured, key=importance_of)[:PRIMARY]


def comparison_tables(groups: Sequence[Group], metrics: Sequence[str]) -> list[TableBlock]:
    """Per agent and case, a table of labels by metrics, each at the label's last stage, the best of a metric marked."""
    return [_table(title, rows, metrics) for title, rows in _subjects(groups)]


def comparison_plots(groups: Sequence[Group], metrics: Sequence[str]) -> list[PlotBlock]:
    """Per agent, case and metric, bars of the means with their standard errors."""
    return [
        plot
        for title, rows in _subjects(groups)
        for metric in metrics
        if (plot := _plot(title, metric, [last_stage(row, metric) for row in rows.values()]))
    ]


def paired_tables(groups: Sequence[Group], metrics: Sequence[str]) -> list[TableBlock]:
    """Per agent and case, how every label differs from the best one of each metric, over the seeds that both have."""
    return [
        TableBlock(
            title=f"Paired by seed, {title}",
            columns=["metric", "label", "less the best", "seeds", "difference ± standard error", "p"],
            rows=rows,
            numeric=[False, False, False, True, True, True],
            caption="Two-sided p-values of paired t-tests, not corrected for their number.",
            compact=False,
        )
        for title, labels in _subjects(groups)
        if (rows := [row for metric in metrics for row in _paired_rows(metric, labels)])
    ]


def pareto_plots(groups: Sequence[Group]) -> list[PlotBlock]:
    """Per agent and case, how well labels predict against what they cost, the ones on the Pareto front named."""
    return [
        plot
        for title, rows in _subjects(groups)
        for score in SCORES
        for cost in COSTS
        if (plot := _pareto_plot(title, rows, cost, score))
    ]


def full_table(groups: Sequence[Group], varying: Sequence[str]) -> TableBlock:
    """Every group with all that tells it from the others, for the report."""
    return TableBlock(
        title="All groups",
        columns=["case", "agent", *varying, "label", "stage", "metric", "seeds", "mean ± standard error", "unit"],
        numeric=[False] * (5 + len(varying)) + [True, True, False],
        rows=[
            [
                group.case or "",
                group.agent,
                *(group.settings.get(key, "") for key in varying),
                group.label,
                group.stage or "",
                group.metric,
                str(group.n),
                _value(group),
                group.unit,
            ]
            for group in groups
        ],
        compact=False,
    )


def row_name(group: Group) -> str:
    """A row's label with the settings that tell it from others: "taylor · macs=0.3"."""
    settings = [f"{key.rpartition('.')[2]}={value}" for key, value in group.settings.items()]
    return " · ".join([group.label, *settings])


def last_stage(row: Sequence[Group], metric: str) -> Group | None:
    """The group of a metric at the last stage of those of one row; None where the row lacks the metric."""
    found = [group for group in row if group.metric == metric]
    return next((group for group in reversed(found) if group.mean is not None), found[-1] if found else None)


Rows = dict[str, list[Group]]


def _subjects(groups: Sequence[Group]) -> list[tuple[str, Rows]]:
    """Per agent and case, the groups of each row, with a title."""
    subjects: dict[str, Rows] = {}
    for group in groups:
        title = f"{group.agent} · {group.case}" if group.case else group.agent
        subjects.setdefault(title, {}).setdefault(row_name(group), []).append(group)
    return list(subjects.items())


def _table(title: str, rows: Rows, metrics: Sequence[str]) -> TableBlock:
    shown = {metric: [last_stage(row, metric) for row in rows.values()] for metric in metrics}
    shown = {metric: column for metric, column in shown.items() if any(column)}
    counts = sorted({group.n for column in shown.values() for group in column if group and group.n})
    columns = [_column(metric, column) for metric, column in shown.items()]
    cells = [[name, *(column[index] for column in columns)] for index, name in enumerate(rows)]
    return TableBlock(
        title=title,
        columns=["label", *(_header(column) for column in shown.values())],
        rows=cells,
        caption=_caption(counts),
    )


def _column(metric: str, groups: Sequence[Group | None]) -> list[str]:
    best = best_of(groups, direction_of(metric), lambda group: group.mean if group else None)
    return [f"{BEST} {_value(group)}" if group in best else _value(group) for group in groups]


def _header(column: Sequence[Group | None]) -> str:
    group = next(group for group in column if group)
    known = not group.unit or group.unit.lower() in group.metric.lower().split("_")
    return group.metric if known else f"{group.metric} [{group.unit}]"


def _value(group: Group | None) -> str:
    if group is None:
        return ""
    return "not measured" if group.mean is None else format_spread(group.mean, group.standard_error)


def _paired_rows(metric: str, labels: Rows) -> list[list[str]]:
    """The rows of one metric; none where fewer than two seeds are shared, or nobody knows what is better."""
    found = {
        name: group for name, row in labels.items() if (group := last_stage(row, metric)) and group.mean is not None
    }
    best = best_of(found.items(), direction_of(metric), lambda item: item[1].mean)
    if len(best) != 1:
        return []
    (best_name, best_group), rows = best[0], []
    for name, group in found.items():
        test = paired_by_seed(_by_seed(group), _by_seed(best_group))
        if name != best_name and test.pairs >= 2 and test.difference is not None:
            p_value = "" if test.p_value is None else f"{test.p_value:.2g}"
            spread = format_spread(test.difference, test.standard_error)
            rows.append([metric, name, best_name, str(test.pairs), spread, p_value])
    return rows


def _by_seed(group: Group) -> dict[int, float]:
    return dict(zip(group.seeds, group.values, strict=False))


def _pareto_plot(title: str, rows: Rows, cost: str, score: str) -> PlotBlock | None:
    """The plot of one pair of metrics; None where fewer than two labels have both."""
    points = {}
    for name, row in rows.items():
        costs, scores = last_stage(row, cost), last_stage(row, score)
        if costs and scores and costs.mean is not None and scores.mean is not None:
            points[name] = (costs.mean, scores.mean, scores.standard_error or 0.0)
    if len(points) < 2:
        return None
    front = pareto_front({name: x for name, (x, _, _) in points.items()}, {n: y for n, (_, y, _) in points.items()})
    return PlotBlock(
        title=f"{score} against {cost}, {title}",
        mark="points",
        x_label=cost,
        y_label=score,
        series=[
            Series(label=name, x=[x], y=[y], low=[y - error], high=[y + error])
            for name, (x, y, error) in points.items()
        ],
        caption=f"On the Pareto front: {', '.join(front)}. Whiskers are standard errors.",
    )


def _caption(counts: Sequence[int]) -> str:
    if not counts:
        return ""
    if counts[-1] == 1:
        return f"one seed; {BEST} best"
    seeds = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
    return f"mean ± standard error over {seeds} seeds; {BEST} best"


def _plot(title: str, metric: str, groups: Sequence[Group | None]) -> PlotBlock | None:
    bars = [(group, group.mean, group.standard_error or 0.0) for group in groups if group and group.mean is not None]
    if len(bars) < 2:
        return None
    spread = any(error for _, _, error in bars)
    header = _header([group for group, _, _ in bars])
    series = Series(
        label=metric,
        x=[row_name(group) for group, _, _ in bars],
        y=[mean for _, mean, _ in bars],
        low=[mean - error for _, mean, error in bars] if spread else None,
        high=[mean + error for _, mean, error in bars] if spread else None,
    )
    return PlotBlock(
        title=f"{metric}, {title}",
        mark="bars",
        x_label="",
        y_label=f"{header}, mean ± standard error" if spread else header,
        series=[series],
    )
