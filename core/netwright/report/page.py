"""The HTML page: templates with everything escaped, blocks with their drawings, and styles that need no network."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from netwright import __version__
from netwright.formatting import format_bytes, format_duration, format_number
from netwright.render import BEST, numeric_columns
from netwright.report.plots import plot_svg
from netwright.result import Block, PlotBlock, TableBlock


def render_page(template: str, **values: Any) -> str:
    """A template of the folder `templates` as a page.

    Args:
        values: What it shows; every text is escaped, whoever supplied it.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=format_number,
        duration=format_duration,
        bytes=format_bytes,
        yaml=_as_yaml,
        cell=_as_cell,
        best=lambda text: text.startswith(BEST),
    )
    environment.tests.update(records=_are_records, nested=_are_nested)
    environment.globals.update(
        drawing=_drawing, plot_table=plot_table, table_of=table_of, numeric_columns=numeric_columns, version=__version__
    )
    return environment.get_template(template).render(**values)


def plot_table(block: PlotBlock) -> TableBlock:
    """The numbers behind a plot as a table."""
    intervals = any(series.low and series.high for series in block.series)
    rows = []
    for series in block.series:
        for index, (x, y) in enumerate(zip(series.x, series.y, strict=True)):
            row = [series.label, x if isinstance(x, str) else format_number(x), format_number(y)]
            if intervals:
                ends = (series.low[index], series.high[index]) if series.low and series.high else ()
                row.append(f"[{', '.join(format_number(end) for end in ends)}]" if ends else "")
            rows.append(row)
    columns = ["series", block.x_label or "x", block.y_label or "y", *(["interval"] if intervals else [])]
    return TableBlock(title="", columns=columns, rows=rows)


def table_of(records: Sequence[Mapping[str, Any]]) -> TableBlock:
    """Records as a table with a column per key, in order of appearance; columns of numbers are aligned right."""
    columns = list(dict.fromkeys(str(key) for record in records for key in record))
    numeric = [all(_is_number(record.get(column, 0)) for record in records) for column in columns]
    rows = [[_as_cell(record.get(column, "")) for column in columns] for record in records]
    return TableBlock(title="", columns=columns, rows=rows, numeric=numeric)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def sections(blocks: Iterable[Block]) -> list[list[Block]]:
    """Blocks in order, neighbouring plots together, so that a wide page shows them side by side."""
    groups: list[list[Block]] = []
    for block in blocks:
        if groups and isinstance(block, PlotBlock) and isinstance(groups[-1][-1], PlotBlock):
            groups[-1].append(block)
        else:
            groups.append([block])
    return groups


def _drawing(block: PlotBlock, name: str) -> Markup | None:
    """The plot as an element, safe because matplotlib escapes what it writes; None without matplotlib."""
    svg = plot_svg(block, name=name)
    return None if svg is None else Markup(svg)


def _as_yaml(value: Any, *, compact: bool = False) -> str:
    """A value as YAML, the innermost collections in one line when compact."""
    return yaml.safe_dump(
        value, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None if compact else False
    ).strip()


def _as_cell(value: Any) -> str:
    """A value of a log or an environment in one line."""
    if value is None or value in ({}, []):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return format_number(value)
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(_is_plain(item) for item in value):
        return ", ".join(_as_cell(item) for item in value)
    return json.dumps(value, ensure_ascii=False)


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _are_records(value: Any) -> bool:
    """Whether a value reads best as a table: a list of mappings to plain values."""
    return (
        isinstance(value, list)
        and any(value)
        and all(isinstance(item, Mapping) and all(map(_is_plain, item.values())) for item in value)
    )


def _are_nested(value: Any) -> bool:
    """Whether a value is a list that no line and no table can hold."""
    return isinstance(value, list) and not all(map(_is_plain, value)) and not _are_records(value)
