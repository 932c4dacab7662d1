"""Labels beside what they name."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from netwright.report.labels import Anchor, label_points, spread


def test_labels_with_room_stay() -> None:
    assert spread([10.0, 50.0, 90.0], 13.0) == [10.0, 50.0, 90.0]


def test_labels_at_one_place_are_spread_around_it() -> None:
    assert spread([50.0, 50.0, 50.0], 10.0) == [40.0, 50.0, 60.0]


@given(st.lists(st.floats(0, 300), max_size=12), st.floats(1, 20))
def test_labels_keep_their_distance_and_order(wanted: list[float], gap: float) -> None:
    placed = spread(wanted, gap)
    pairs = sorted(zip(wanted, placed, strict=True))
    heights = sorted(placed)
    assert len(placed) == len(wanted)
    assert all(upper - lower >= gap - 1e-6 for lower, upper in pairwise(heights))
    assert all(a[1] < b[1] for a, b in pairwise(pairs) if a[0] < b[0])


def test_labels_of_points_do_not_cover_each_other() -> None:
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation, Text

    figure = Figure(figsize=(5, 3), dpi=72, layout="constrained")
    axes = figure.add_subplot()
    anchors = [Anchor(0.5 + 0.001 * number, 0.5 + 0.002 * number, f"label {number}", "black") for number in range(6)]
    axes.plot([0, *(anchor.x for anchor in anchors), 1], [0, *(anchor.y for anchor in anchors), 1], "o")
    label_points(figure, axes, anchors)
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(note) for note in axes.texts if isinstance(note, Annotation)]
    assert len(boxes) == 6
    assert not any(one.overlaps(other) for number, one in enumerate(boxes) for other in boxes[:number])
