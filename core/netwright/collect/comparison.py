"""Groups of measurements side by side: the tables and plots in which a collection shows labels against each other."""

from collections.abc import Iterable, Sequence

from netwright.collect.aggregate import Group
from netwright.formatting import format_spread
from netwright.headline import best_of, direction_of, importance_of
from netwright.render import BEST
from netwright.result import PlotBlock, Series, TableBlock

PRIMARY = 4
"""As many metrics as a terminal of 80 columns shows beside the labels."""


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
