"""Blocks and results for the terminal: tables that fit its width, the status of a run, and what went wrong."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from netwright.formatting import format_duration, format_number
from netwright.result import Measurement, PlotBlock, Result, Status, TableBlock, TextBlock, TreeBlock, TreeRow

PADDING = 2
STATUS_STYLES: dict[Status, str] = {"ok": "bold green", "partial": "bold yellow", "failed": "bold red"}
BEST = "★"
"""Leads a cell that holds the best value of its column."""


def new_table(title: str, *, caption: str = "") -> Table:
    """An empty table in netwright's style."""
    return Table(
        title=Text(title, style="bold") if title else None,
        title_justify="left",
        caption=Text(caption, style="dim") if caption else None,
        caption_justify="left",
        header_style="dim",
        box=None,
        pad_edge=False,
        padding=(0, PADDING, 0, 0),
    )


def table_for(block: TableBlock) -> Table:
    """A table block as a rich table: headers broken between words, numbers never."""
    table = new_table(block.title, caption=block.caption)
    for index, (column, right) in enumerate(zip(block.columns, numeric_columns(block), strict=True)):
        cells = [row[index] for row in block.rows]
        table.add_column(
            Text(_break_header(column, cells) if right else column),
            justify="right" if right else "left",
            no_wrap=right,
            overflow="fold",
            style="cyan" if index == 0 else None,
            vertical="top",
        )
    for row in block.rows:
        table.add_row(*(_cell(cell) for cell in row))
    return table


def numeric_columns(block: TableBlock | TreeBlock) -> list[bool]:
    """Per column of a table or tree block, whether it is aligned right."""
    return block.numeric if block.numeric is not None else [index > 0 for index in range(len(block.columns))]


def tree_table(block: TreeBlock) -> TableBlock:
    """A tree block as a table: branches drawn before the names, closed ones with the number of rows that they hide."""
    rows = [[f"{branch}{_name(row)}", *row.cells[1:]] for branch, row in _branches(block.rows, "", top=True)]
    return TableBlock(
        title=block.title, columns=block.columns, rows=rows, caption=block.caption, numeric=numeric_columns(block)
    )


@dataclass(frozen=True)
class FittedTable:
    """A table block that fits the terminal: one too wide is cut into several, each with the first column."""

    block: TableBlock

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table, or its parts one below the other."""
        if self.block.title:  # above the table, which would break it at its own width
            yield Text(self.block.title, style="bold")
        rest: TableBlock | None = self.block.model_copy(update={"title": "", "caption": ""})
        while rest is not None:
            part, rest = _cut(rest, options.max_width)
            yield table_for(part)
            if rest is not None:
                yield ""
        if self.block.caption:
            yield Text(self.block.caption, style="dim")


def render_result(result: Result) -> RenderableType:
    """A run's end for the terminal: the agent's compact blocks, what was not measured, and errors."""
    shown = [block for block in result.blocks if not isinstance(block, PlotBlock) and block.compact]
    parts: list[RenderableType] = []
    for block in shown:
        parts += [_for_terminal(block), ""]
    if result.measurements and all(isinstance(block, TextBlock) for block in shown):
        parts += [FittedTable(measurement_table(result.measurements)), ""]
    parts += [Text(line, style="yellow") for line in not_measured(missing_values(result.measurements))]
    parts += [Text(f"error in {error.where}: {error.message}", style="red") for error in result.errors]
    return Group(*parts, status_line(result))


def status_line(result: Result) -> Text:
    """One line: status, agent, case, seed and duration."""
    facts = [result.agent, result.case or "no case", f"seed {result.seed}", format_duration(result.duration_s)]
    return Text.assemble((result.status, STATUS_STYLES[result.status]), "  ", " · ".join(facts))


def measurement_table(rows: list[Measurement]) -> TableBlock:
    """All measurements of a run as one table."""
    return TableBlock(
        title="measurements",
        columns=["label", "stage", "metric", "value", "95 % interval", "unit"],
        numeric=[False, False, False, True, True, False],
        rows=[
            [
                row.label,
                row.stage or "",
                row.metric,
                "not measured" if row.value is None else format_number(row.value),
                f"[{format_number(row.ci[0])}, {format_number(row.ci[1])}]" if row.ci else "",
                row.unit,
            ]
            for row in rows
        ],
    )


def not_measured(reasons: Iterable[tuple[str, str]]) -> list[str]:
    """From pairs of a metric and why it has no value, one line per reason."""
    metrics: dict[str, dict[str, None]] = {}
    for metric, reason in reasons:
        metrics.setdefault(reason, {})[metric] = None
    return [f"not measured: {', '.join(names)}: {reason}" for reason, names in metrics.items()]


def missing_values(rows: Iterable[Measurement]) -> list[tuple[str, str]]:
    """The measurements without a value, as pairs of metric and reason."""
    return [(row.metric, row.not_measured or "no reason given") for row in rows if row.value is None]


def _for_terminal(block: TextBlock | TableBlock | TreeBlock) -> RenderableType:
    if isinstance(block, TextBlock):
        return Text(block.text)
    return FittedTable(tree_table(block) if isinstance(block, TreeBlock) else block)


def _branches(rows: Sequence[TreeRow], stem: str, *, top: bool) -> Iterator[tuple[str, TreeRow]]:
    """Every row that is shown, with what is drawn before its name."""
    for index, row in enumerate(rows):
        last = index == len(rows) - 1
        yield "" if top else stem + ("└─ " if last else "├─ "), row
        if row.open:
            yield from _branches(row.children, "" if top else stem + ("   " if last else "│  "), top=False)


def _name(row: TreeRow) -> str:
    return row.cells[0] if row.open or not row.children else f"{row.cells[0]} (+{row.size})"


def _cell(text: str) -> Text:
    return Text(text, style="bold green" if text.startswith(BEST) else "")


def _break_header(header: str, cells: list[str]) -> str:
    longest_word = max((cell_len(word) for word in header.split()), default=1)
    width = max([longest_word, *(cell_len(cell) for cell in cells)])
    return "\n".join(textwrap.wrap(header, width, break_long_words=False)) or header


def _cut(block: TableBlock, width: int) -> tuple[TableBlock, TableBlock | None]:
    """As many columns of `block` as fit in `width`, and the first column with the others when some are left."""
    widths = [_column_width(block, index) + PADDING for index in range(len(block.columns))]
    count = len(widths)
    while count > 2 and sum(widths[:count]) - PADDING > width:
        count -= 1
    if count == len(widths):
        return block, None
    rest = _columns(block, [0, *range(count, len(widths))])
    return _columns(block, range(count)), rest


def _column_width(block: TableBlock, index: int) -> int:
    """The width below which a column would break numbers, labels or words."""
    cells = [row[index] for row in block.rows]
    if numeric_columns(block)[index]:
        lines = [*_break_header(block.columns[index], cells).splitlines(), *cells]
    else:
        lines = [block.columns[index], *cells] if index == 0 else [*" ".join([block.columns[index], *cells]).split()]
    return max((cell_len(line) for line in lines), default=0)


def _columns(block: TableBlock, indices: Sequence[int]) -> TableBlock:
    return block.model_copy(
        update={
            "columns": [block.columns[index] for index in indices],
            "rows": [[row[index] for index in indices] for row in block.rows],
            "numeric": [numeric_columns(block)[index] for index in indices],
        }
    )
