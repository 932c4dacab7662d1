"""Plot blocks as inline SVG through matplotlib: letters take the page's colour, series a colour-blind-safe palette."""

import html
import math
import re
import textwrap
from collections.abc import Sequence
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any

from netwright.formatting import format_number
from netwright.report.labels import Anchor, label_line_ends, label_points
from netwright.result import PlotBlock, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 5.0, 3.1
"""Inches of 72 units each: letters stay legible where a phone's screen is as wide as the drawing."""
INK = "#010203"
"""Stands for the page's text colour until the drawing is done."""
PAPER = "#040506"
"""Stands for the colour below the drawing."""
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a6fd0", "#808080")
"""Okabe and Ito's colours, but yellow and black, which vanish on a light or a dark page."""
MARKERS = "os^Dvphd"
MANY_POINTS = 30
"""From so many points on, a line has no markers."""
MANY_SERIES = 9
"""From so many series on, a legend names them; fewer are named where they lie."""
LETTERS_BELOW = 60
"""As many letters of names stand side by side below the x axis; more are slanted."""
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "netwright",
    "text.parse_math": False,
    "text.color": INK,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "axes.grid": True,
    "grid.color": INK,
    "grid.alpha": 0.12,
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
}


def plot_svg(block: PlotBlock, *, name: str) -> str | None:
    """Draw a plot block.

    Args:
        name: Leads the drawing's identifiers; no two drawings of a page may share it.

    Returns:
        An `<svg>` element, the same for the same data, or None without matplotlib (extra "report").
    """
    try:
        from matplotlib import style
    except ImportError:
        return None
    with style.context(STYLE, after_reset=True):  # a user's own matplotlibrc changes nothing
        text = StringIO()
        _drawn(block, dpi=72).savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _for_page(text.getvalue(), block.title, name)


def plot_png(block: PlotBlock) -> bytes | None:
    """Draw a plot block by itself, with its title, in black on white.

    Returns:
        A PNG, the same for the same data and matplotlib, or None without matplotlib (extra "report").
    """
    try:
        from matplotlib import style
    except ImportError:
        return None
    with style.context(STYLE, after_reset=True):
        figure = _drawn(block, dpi=144)
        figure.suptitle(block.title, fontsize=10)
        content = BytesIO()
        figure.savefig(content, format="png", facecolor="white", metadata={"Software": None})
    return content.getvalue()


def _drawn(block: PlotBlock, *, dpi: int) -> "Figure":
    from matplotlib.figure import Figure

    bars = sum(len(series.y) for series in block.series) if block.mark == "bars" else 0
    figure = Figure(figsize=(WIDTH, max(1.0 + 0.3 * bars, 1.6) if bars else HEIGHT), dpi=dpi, layout="constrained")
    if block.mark == "bars":
        _draw_bars(figure, block)
    else:
        _draw_against_x(figure, block)
    return figure


def _draw_against_x(figure: "Figure", block: PlotBlock) -> None:
    """Lines with bands, or points with whiskers."""
    axes = figure.add_subplot()
    categories = _categories(block.series)
    draw = _draw_line if block.mark == "line" else _draw_points
    ends: list[Anchor] = []
    for index, series in enumerate(block.series):
        x = [float(categories.index(str(value)) if categories else value) for value in series.x]
        draw(axes, x, series, *_look(index))
        finite = [(a, b) for a, b in zip(x, series.y, strict=True) if math.isfinite(b)]
        if finite:
            ends.append(Anchor(*finite[-1], series.label, _look(index)[0]))
    axes.set(xlabel=block.x_label, ylabel=block.y_label, xscale=block.x_scale, yscale=block.y_scale)
    _format_axes(axes, block, categories)
    if len(ends) < 2:
        return
    if len(ends) >= MANY_SERIES or not _can_be_labelled(axes, block, ends):
        figure.legend(loc="outside lower center", ncols=3)
    elif block.mark == "line":
        label_line_ends(figure, axes, ends)
    else:
        axes.margins(x=0.12, y=0.12)
        label_points(figure, axes, ends)


def _can_be_labelled(axes: "Axes", block: PlotBlock, ends: Sequence[Anchor]) -> bool:
    """Whether all lines end at the right margin, where their names stand, or all series are single points."""
    if block.mark == "points":
        return all(len(series.y) == 1 for series in block.series)
    axes.autoscale_view()
    place = axes.transData + axes.transAxes.inverted()
    return all(place.transform((end.x, end.y))[0] > 0.8 for end in ends)


def _draw_line(axes: "Axes", x: list[float], series: Series, colour: str, marker: str) -> None:
    marks = marker if len(x) <= MANY_POINTS else ""
    axes.plot(x, series.y, color=colour, marker=marks, markersize=4, label=series.label)
    if series.low and series.high:
        axes.fill_between(x, series.low, series.high, color=colour, alpha=0.15, linewidth=0)


def _draw_points(axes: "Axes", x: list[float], series: Series, colour: str, marker: str) -> None:
    whiskers = _whiskers(series)
    if whiskers:
        axes.errorbar(x, series.y, whiskers, fmt="none", ecolor=colour, elinewidth=1, capsize=2.5, zorder=2)
    (points,) = axes.plot(x, series.y, marker, color=colour, markersize=7.5, zorder=3, label=series.label)
    points.set(markeredgecolor=PAPER, markeredgewidth=0.7)


def _draw_bars(figure: "Figure", block: PlotBlock) -> None:
    """Horizontal bars, so that names of any length stand beside them; the values stand at their ends."""
    axes = figure.add_subplot()
    categories = list(dict.fromkeys(str(value) for series in block.series for value in series.x))
    thickness = 0.72 / max(1, len(block.series))
    for index, series in enumerate(block.series):
        colour, _ = _look(index)
        shift = (index - (len(block.series) - 1) / 2) * thickness
        positions = [categories.index(str(value)) + shift for value in series.x]
        axes.barh(positions, _finite(series.y), height=thickness * 0.92, color=colour, label=series.label)
        whiskers = _whiskers(series)
        if whiskers:
            axes.errorbar(
                _finite(series.y), positions, xerr=whiskers, fmt="none", ecolor=INK, elinewidth=1, capsize=2.5
            )
        for position, value, high in zip(positions, series.y, series.high or series.y, strict=True):
            if math.isfinite(value):
                end = max(value, high, 0.0)
                axes.annotate(format_number(value), (end, position), (5, 0), textcoords="offset points", va="center")
    axes.set(xlabel=block.y_label, ylabel=block.x_label)
    axes.set_yticks(range(len(categories)), [textwrap.fill(name, 26) for name in categories])
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.invert_yaxis()
    _use_prefixes(axes.xaxis, [value for series in block.series for value in series.y])
    if len(block.series) > 1:
        figure.legend(loc="outside upper center", ncols=min(4, len(block.series)))


def _look(index: int) -> tuple[str, str]:
    """Colour and marker; those of later rounds through the palette differ in their marker."""
    return PALETTE[index % len(PALETTE)], MARKERS[(index + index // len(PALETTE)) % len(MARKERS)]


def _categories(series: Sequence[Series]) -> list[str]:
    """The names on the x axis in order of appearance; none where all of it is numbers."""
    values = [value for one in series for value in one.x]
    return list(dict.fromkeys(map(str, values))) if any(isinstance(value, str) for value in values) else []


def _whiskers(series: Series) -> list[list[float]] | None:
    """The lengths of the error bars below and above each value."""
    if not series.low or not series.high:
        return None
    below = [max(0.0, value - low) for value, low in zip(series.y, series.low, strict=True)]
    above = [max(0.0, high - value) for value, high in zip(series.y, series.high, strict=True)]
    return [_finite(below), _finite(above)]


def _finite(values: Sequence[float]) -> list[float]:
    """Infinities as NaN, which is left out of a drawing."""
    return [value if math.isfinite(value) else math.nan for value in values]


def _format_axes(axes: "Axes", block: PlotBlock, categories: Sequence[str]) -> None:
    """Names or whole numbers on the x axis where it has such, and metric prefixes for large numbers."""
    from matplotlib.ticker import MaxNLocator

    numbers = [value for series in block.series for value in series.x if not isinstance(value, str)]
    if categories:
        axes.set_xticks(range(len(categories)), categories)
        if sum(map(len, categories)) > LETTERS_BELOW:
            for tick in axes.get_xticklabels():
                tick.set(rotation=30, horizontalalignment="right", rotation_mode="anchor")
    elif block.x_scale == "linear" and all(float(value).is_integer() for value in numbers):
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    _use_prefixes(axes.xaxis, numbers, always=block.x_scale == "log")
    _use_prefixes(axes.yaxis, [value for series in block.series for value in series.y], always=block.y_scale == "log")


def _use_prefixes(axis: "Axis", values: Sequence[float], *, always: bool = False) -> None:
    from matplotlib.ticker import EngFormatter, NullFormatter

    if always:  # within a power of ten there is no other tick to read
        found = [value for value in values if math.isfinite(value) and value > 0]
        narrow = bool(found) and max(found) < 10 * min(found)
        axis.set_minor_formatter(EngFormatter(sep="") if narrow else NullFormatter())
    if always or max((abs(value) for value in values if math.isfinite(value)), default=0) >= 1e5:
        axis.set_major_formatter(EngFormatter(sep=""))


def _for_page(svg: str, title: str, name: str) -> str:
    """Matplotlib's file as an element of a page: scaled by it, in its letters and colours, with its own identifiers."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<[^>]+>", lambda tag: _restyle(tag[0], name), svg)
    end = svg.index(">")
    box = re.search(r'viewBox="[^"]*"', svg[:end])
    assert box is not None
    return f'<svg {box[0]} role="img" aria-label="{html.escape(title)}"{svg[end:]}'


def _restyle(tag: str, name: str) -> str:
    """One tag: text content never passes here, so a label that reads like an attribute stays as it is."""
    tag = re.sub(r'(\bid="|url\(#|xlink:href="#)', rf"\g<1>{name}-", tag)
    tag = tag.replace(" font-family: 'DejaVu Sans';", "").replace(INK, "currentColor").replace(PAPER, "var(--card)")
    for index, colour in enumerate(PALETTE):
        tag = tag.replace(colour, f"var(--series-{index + 1})")
    return tag
