"""Plots as inline SVG."""

import math
import re
from typing import Any, Literal
from xml.etree import ElementTree as ET

import pytest

from netwright.report.plots import INK, PALETTE, PAPER, plot_png, plot_svg
from netwright.result import PlotBlock, Series

pytest.importorskip("matplotlib")

Mark = Literal["line", "points", "bars"]
MARKS: tuple[Mark, ...] = ("line", "points", "bars")
NAMES = (("a", 1.0), ("b", 1e4))


def plot(mark: Mark, *series: Series, **details: Any) -> PlotBlock:
    values = {"title": "A title", "x_label": "epoch", "y_label": "loss", **details}
    return PlotBlock(mark=mark, series=list(series), **values)


def draw(block: PlotBlock, name: str = "p") -> str:
    svg = plot_svg(block, name=name)
    assert svg is not None
    return svg


def texts(svg: str) -> list[str]:
    root = ET.fromstring(svg.replace("xlink:", ""))
    return [element.text or "" for element in root.iter("text")]


@pytest.mark.parametrize("mark", MARKS)
def test_a_drawing_is_named_scales_and_takes_the_pages_colours(mark: Mark) -> None:
    svg = draw(plot(mark, Series(label="a", x=["u", "v"], y=[1, 2], low=[0.5, 1.5], high=[1.5, 2.5])))
    root = ET.fromstring(svg.replace("xlink:", ""))
    assert root.get("aria-label") == "A title"
    assert root.get("role") == "img"
    assert root.get("width") is None
    assert "currentColor" in svg
    assert "var(--series-1)" in svg
    assert not re.search(f"{INK}|{PAPER}|{'|'.join(PALETTE)}", svg)
    assert "font-family" not in svg


@pytest.mark.parametrize("mark", MARKS)
def test_the_same_data_give_the_same_bytes(mark: Mark) -> None:
    block = plot(mark, Series(label="a", x=[1, 2], y=[1, 2]), Series(label="b", x=[1, 2], y=[2, 1]))
    assert draw(block) == draw(block)


def test_a_users_matplotlib_settings_change_nothing() -> None:
    import matplotlib as mpl

    block = plot("line", Series(label="a", x=[1, 2], y=[1, 2]))
    usual = draw(block)
    with mpl.rc_context({"lines.linewidth": 9.0, "axes.facecolor": "red"}):
        assert draw(block) == usual


@pytest.mark.parametrize("mark", MARKS)
def test_every_series_is_named(mark: Mark) -> None:
    names = [f"series {number}" for number in range(5)]
    shown = texts(draw(plot(mark, *(Series(label=name, x=[0, 1], y=[i, i]) for i, name in enumerate(names)))))
    assert set(names) <= set(shown)


def test_many_series_are_named_in_a_legend() -> None:
    names = [f"series {number}" for number in range(20)]
    shown = texts(draw(plot("points", *(Series(label=name, x=[i], y=[i]) for i, name in enumerate(names)))))
    assert set(names) <= set(shown)


def test_bars_carry_their_values_and_names() -> None:
    shown = texts(draw(plot("bars", Series(label="latency", x=["eager", "compiled"], y=[3.19, 1.5]))))
    assert {"eager", "compiled", "3.190", "1.500", "loss"} <= set(shown)


def test_dollars_and_markup_in_names_are_letters() -> None:
    block = plot("line", Series(label="$a_{", x=[1], y=[1]), Series(label="<b>&", x=[1], y=[2]), x_label=r"$\bad{")
    shown = texts(draw(block))
    assert {"$a_{", "<b>&", r"$\bad{"} <= set(shown)


def test_a_label_that_reads_like_an_attribute_stays() -> None:
    label = f'id="x" {INK}'
    shown = texts(draw(plot("line", Series(label=label, x=[1], y=[1]), Series(label="b", x=[1], y=[2]))))
    assert label in shown


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize(
    "series",
    [
        [],
        [Series(label="a", x=[], y=[])],
        [Series(label="a", x=[1, 2], y=[math.nan, math.inf])],
        [Series(label="a", x=[1, 2], y=[math.nan, 1]), Series(label="b", x=["u"], y=[5e7])],
        [Series(label="a", x=[math.nan], y=[1])],
    ],
    ids=["no series", "no points", "no finite value", "mixed", "no place"],
)
def test_odd_data_are_drawn(mark: Mark, series: list[Series]) -> None:
    assert draw(plot(mark, *series)).startswith("<svg ")


def test_large_numbers_have_prefixes() -> None:
    shown = texts(draw(plot("line", Series(label="a", x=[0, 1], y=[0, 5_000_000]))))
    assert "5M" in shown


@pytest.mark.parametrize("mark", ["line", "points"])
def test_logarithmic_axes_are_labelled_with_prefixes(mark: Mark) -> None:
    series = [Series(label=name, x=[1e3, 1e6, 1e9], y=[1e-3 * scale, scale, 1e3 * scale]) for name, scale in NAMES]
    words = texts(draw(plot(mark, *series, x_scale="log", y_scale="log")))
    assert {"1k", "1M", "1G", "a", "b"} <= set(words)
    assert not any("$" in word for word in words)
    assert "1k" not in texts(draw(plot(mark, Series(label="a", x=[1, 2], y=[1, 2]))))


def test_a_logarithmic_axis_within_a_power_of_ten_has_numbers() -> None:
    """Matplotlib would write mathematics there, which a page shows as its source."""
    words = texts(draw(plot("line", Series(label="a", x=[1, 2], y=[2e13, 6e13]), y_scale="log")))
    assert "40T" in words
    assert not any("$" in word for word in words)


@pytest.mark.parametrize("mark", MARKS)
def test_a_plot_by_itself_is_a_png_and_the_same_for_the_same_data(mark: Mark) -> None:
    block = plot(mark, Series(label="a", x=["u", "v"], y=[1, 2]))
    image = plot_png(block)
    assert image is not None
    assert image.startswith(b"\x89PNG")
    assert image == plot_png(block)
