"""Blocks and results in a terminal of 80 columns."""

import io
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from rich.console import Console, RenderableType

from netwright.render import FittedTable, measurement_table, not_measured, render_result, table_for, tree_table
from netwright.result import ErrorRecord, Measurement, Result, TableBlock, TextBlock, TreeBlock, TreeRow


def shown(renderable: RenderableType, width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO(), no_color=True, force_terminal=False)
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def wide_table() -> TableBlock:
    columns = ["method", *(f"a long header of column {number}" for number in range(12))]
    rows = [[label, *(f"{number}.2345" for number in range(12))] for label in ("unpruned", "magnitude_l2")]
    return TableBlock(title="Wide", columns=columns, rows=rows, caption="Read with care.")


def result(**details: object) -> Result:
    values = {
        "status": "ok",
        "agent": "pruner",
        "case": "digits_cnn",
        "config": {},
        "config_hash": "0" * 64,
        "seed": 3,
        "started": datetime(2026, 1, 1, tzinfo=UTC),
        "duration_s": 192.0,
    }
    return Result.model_validate({**values, **details})


def test_a_table_shows_title_headers_cells_and_caption() -> None:
    block = TableBlock(title="Costs", columns=["method", "ms"], rows=[["eager", "1.5"], ["b", "12.5"]], caption="Cold.")
    lines = [line.rstrip() for line in shown(table_for(block)).splitlines()]
    assert lines == ["Costs", "method    ms", "eager    1.5", "b       12.5", "Cold."]


def test_a_table_says_which_columns_are_numbers() -> None:
    block = TableBlock(title="", columns=["name", "what"], rows=[["a", "x"], ["b", "longer"]], numeric=[False, False])
    assert "a     x" in shown(table_for(block))


def test_a_table_that_is_too_wide_is_cut_between_columns() -> None:
    text = shown(FittedTable(wide_table()))
    assert all(len(line) <= 80 for line in text.splitlines())
    assert all(f"{number}.2345" in text for number in range(12))
    assert text.count("magnitude_l2") > 1
    assert text.rstrip().endswith("Read with care.")


def test_a_table_that_fits_stays_whole() -> None:
    assert shown(FittedTable(wide_table()), width=250).count("magnitude_l2") == 1


@settings(max_examples=25, deadline=None)
@given(st.integers(40, 100), st.lists(st.integers(1, 16), min_size=1, max_size=9))
def test_no_number_is_broken_at_any_width(width: int, lengths: list[int]) -> None:
    cells = ["7" * length for length in lengths]
    block = TableBlock(title="t", columns=["label", *("head er" for _ in cells)], rows=[["name", *cells]])
    text = shown(FittedTable(block), width)
    assert all(len(line) <= width for line in text.splitlines())
    assert sorted(word for word in text.split() if word.startswith("7")) == sorted(cells)


def small_tree() -> TreeBlock:
    leaf = TreeRow(cells=["leaf", "1"])
    closed = TreeRow(cells=["closed", "2"], children=[TreeRow(cells=["inner", "1"], children=[leaf])], open=False)
    root = TreeRow(cells=["root", "4"], children=[TreeRow(cells=["first", "1"], children=[leaf]), closed])
    return TreeBlock(title="Parts", columns=["part", "count"], rows=[root], caption="All of it.")


def test_a_tree_shows_branches_and_how_many_rows_it_hides() -> None:
    table = tree_table(small_tree())
    assert table.rows == [["root", "4"], ["├─ first", "1"], ["│  └─ leaf", "1"], ["└─ closed (+2)", "2"]]
    assert table.numeric == [False, True]


def test_a_result_prints_its_trees() -> None:
    text = shown(render_result(result(blocks=[small_tree(), small_tree().model_copy(update={"compact": False})])))
    assert text.count("└─ closed (+2)") == 1
    assert "All of it." in text


def test_a_tree_whose_rows_lack_a_cell_is_refused() -> None:
    with pytest.raises(ValidationError, match="has 2 columns"):
        TreeBlock(title="t", columns=["a", "b"], rows=[TreeRow(cells=["x", "1"], children=[TreeRow(cells=["y"])])])


def test_a_result_shows_status_tables_reasons_and_errors() -> None:
    missing = Measurement(label="eager", metric="peak_memory_bytes", value=None, not_measured="no CUDA device")
    ended = result(
        status="partial",
        blocks=[
            TextBlock(text="prose is for the report"),
            TextBlock(text="taylor is best", compact=True),
            TableBlock(title="Costs", columns=["method", "ms"], rows=[["eager", "1.5"]]),
            TableBlock(title="Widths", columns=["layer", "n"], rows=[["stem", "8"]], compact=False),
        ],
        measurements=[missing],
        errors=[ErrorRecord(where="taylor", message="no gradients [/red]")],
    )
    text = shown(render_result(ended))
    assert text.splitlines()[:2] == ["taylor is best", ""]
    assert "Costs" in text
    assert "prose" not in text
    assert "Widths" not in text
    assert "not measured: peak_memory_bytes: no CUDA device" in text
    assert "error in taylor: no gradients [/red]" in text
    assert text.splitlines()[-1] == "partial  pruner · digits_cnn · seed 3 · 3 min 12 s"


def test_a_title_is_not_broken_at_the_width_of_its_table() -> None:
    block = TableBlock(title="Latency of script:model.py:Net", columns=["a", "b"], rows=[["x", "1"]])
    assert shown(FittedTable(block)).splitlines()[0].rstrip() == "Latency of script:model.py:Net"


def test_a_result_without_tables_shows_its_measurements() -> None:
    rows = [Measurement(label="eager", metric="latency_ms", value=1.234, unit="ms", ci=(1.2, 1.25))]
    text = shown(render_result(result(measurements=rows)))
    assert "[1.200, 1.250]" in text
    assert "latency_ms" in text


def test_a_missing_value_says_so_in_the_table_of_measurements() -> None:
    table = measurement_table([Measurement(label="a", metric="m", value=None)])
    assert table.rows[0][3] == "not measured"


def test_reasons_are_grouped() -> None:
    pairs = [("a", "no GPU"), ("b", "no data"), ("c", "no GPU"), ("a", "no GPU")]
    assert not_measured(pairs) == ["not measured: a, c: no GPU", "not measured: b: no data"]
