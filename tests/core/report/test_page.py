"""Parts of pages."""

from netwright.report.page import plot_table, sections, table_of
from netwright.result import PlotBlock, Series, TextBlock

PLOT = PlotBlock(
    title="t",
    mark="line",
    x_label="epoch",
    y_label="",
    series=[
        Series(label="a", x=[1], y=[0.5], low=[0.4], high=[0.6]),
        Series(label="b", x=["end"], y=[2]),
    ],
)


def test_the_numbers_of_a_plot_are_a_table() -> None:
    table = plot_table(PLOT)
    assert table.columns == ["series", "epoch", "y", "interval"]
    assert table.rows == [["a", "1", "0.5000", "[0.4000, 0.6000]"], ["b", "end", "2", ""]]


def test_neighbouring_plots_stand_together() -> None:
    text = TextBlock(text="x")
    assert sections([PLOT, PLOT, text, text, PLOT]) == [[PLOT, PLOT], [text], [text], [PLOT]]
    assert sections([]) == []


def test_records_become_columns_and_numbers_align_right() -> None:
    table = table_of(
        [{"name": "stem", "macs": 12345, "why": ["a", "b"]}, {"name": None, "deep": {"k": True}, "macs": 2.5}]
    )
    assert table.columns == ["name", "macs", "why", "deep"]
    assert table.numeric == [False, True, False, False]
    assert table.rows == [["stem", "12,345", "a, b", ""], ["none", "2.500", "", '{"k": true}']]
