"""Series named where they lie, without covering each other: at the ends of lines, and beside points."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

GAP = 13.0
"""Between the base lines of two labels, in points."""
REACH = 7.0
"""Between a point and its label, in points."""


class Anchor(NamedTuple):
    """What a label names: a place in data coordinates."""

    x: float
    y: float
    label: str
    colour: str


def label_line_ends(figure: "Figure", axes: "Axes", anchors: Sequence[Anchor]) -> None:
    """Name lines in the margin at the right, at the height of their ends, moved apart where those are close."""
    notes = [_note(axes, anchor, (1.03, 0.5), "axes fraction") for anchor in anchors]
    _settle(figure)
    heights = spread([axes.transData.transform((anchor.x, anchor.y))[1] for anchor in anchors], GAP)
    surplus = max(0.0, max(heights) - axes.bbox.y1)
    for note, height in zip(notes, heights, strict=True):
        note.set_position((1.03, (height - surplus - axes.bbox.y0) / axes.bbox.height))


def label_points(figure: "Figure", axes: "Axes", anchors: Sequence[Anchor]) -> None:
    """Name points beside themselves, each at the nearest place where its label covers no other label and no point."""
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox

    _settle(figure)
    anchors = sorted(anchors, key=lambda anchor: -anchor.y)  # from the top, so that leaders do not cross
    places = [axes.transData.transform((anchor.x, anchor.y)) for anchor in anchors]
    taken = [Bbox.from_extents(x - 4, y - 4, x + 4, y + 4) for x, y in places]
    frame = Bbox.from_extents(axes.bbox.x0, axes.bbox.y0, figure.bbox.x1, figure.bbox.y1)
    for anchor, (x, y) in zip(anchors, places, strict=True):
        trial = _note(axes, anchor, (0, 0), "offset points")
        size = Text.get_window_extent(trial)
        trial.remove()
        boxes = [(shift, _box(x, y, shift, size.width, size.height)) for shift in _shifts()]
        shift, box = min(boxes, key=lambda choice: _covered(choice[1], taken, frame))
        _note(axes, anchor, shift, "offset points")
        taken.append(box)


def spread(wanted: Sequence[float], gap: float) -> list[float]:
    """Positions at least `gap` apart, in the order of the wanted ones and as near to them as their groups can be."""
    groups: list[list[float]] = []
    for position in sorted(wanted):
        groups.append([position])
        while len(groups) > 1 and _extent(groups[-2], gap)[1] + gap > _extent(groups[-1], gap)[0]:
            groups[-2:] = [groups[-2] + groups[-1]]
    placed = [_extent(group, gap)[0] + gap * index for group in groups for index in range(len(group))]
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    return [position for _, position in sorted(zip(order, placed, strict=True))]


def _extent(group: list[float], gap: float) -> tuple[float, float]:
    middle, half = sum(group) / len(group), gap * (len(group) - 1) / 2
    return middle - half, middle + half


def _note(axes: "Axes", anchor: Anchor, position: tuple[float, float], coordinates: str) -> "Annotation":
    """A label with a leader from the side that faces its point."""
    left = position[0] < 0
    leader = {"arrowstyle": "-", "color": anchor.colour, "linewidth": 0.8, "shrinkA": 1, "shrinkB": 4}
    return axes.annotate(
        anchor.label,
        (anchor.x, anchor.y),
        position,
        textcoords=coordinates,
        ha="right" if left else "left",
        va="center",
        annotation_clip=False,
        arrowprops={**leader, "relpos": (1, 0.5) if left else (0, 0.5)},
    )


def _settle(figure: "Figure") -> None:
    """Let the layout make room for what was drawn, and then leave it as it is."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def _shifts() -> Iterator[tuple[float, float]]:
    """Where a label may stand relative to its point, nearest first."""
    for step in (0.0, -0.5, 0.5, -1.0, 1.0, -1.5, 1.5, -2.0, 2.0, -3.0, 3.0, -4.0, 4.0):
        for side in (1, -1):
            yield side * (REACH + 2 * abs(step)), step * GAP


def _box(x: float, y: float, shift: tuple[float, float], width: float, height: float) -> "Bbox":
    from matplotlib.transforms import Bbox

    left = x + shift[0] - (width if shift[0] < 0 else 0)
    bottom = y + shift[1] - height / 2
    return Bbox.from_extents(left, bottom, left + width, bottom + height)


def _covered(box: "Bbox", taken: Sequence["Bbox"], frame: "Bbox") -> float:
    """The area of `box` that lies outside the frame or on something else."""
    overlaps = [_overlap(box, other) for other in taken]
    return sum(overlaps) + box.width * box.height - _overlap(box, frame)


def _overlap(one: "Bbox", other: "Bbox") -> float:
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return float(max(0.0, width) * max(0.0, height))
