"""The drawing of a workflow's graph: nodes in rows, nothing on top of anything else, nothing of a user's as markup."""

import re
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.report.graph import BEGIN, Box, graph_drawing, lay_out
from netwright.workflow.graph import END
from netwright.workflow.record import EdgeRecord, WorkflowRecord


def record(*arrows: tuple[str, str], **fields: object) -> WorkflowRecord:
    """A record whose nodes are the sources, in order of appearance."""
    nodes = list(dict.fromkeys(source for source, _ in arrows))
    edges = [EdgeRecord(source=source, target=target, conditional=False) for source, target in arrows]
    values = {"workflow": "w", "nodes": nodes, "edges": edges, "progress": "finished"}
    return WorkflowRecord.model_validate({**values, **fields})


LOOP = record(("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", END))


def touch(one: Box, other: Box) -> bool:
    return (
        abs(one.x - other.x) < one.half_width + other.half_width
        and abs(one.y - other.y) < one.half_height + other.half_height
    )


def half(start: tuple[float, float], end: tuple[float, float]) -> tuple[float, float]:
    return abs(start[0] - end[0]) / 2, abs(start[1] - end[1]) / 2


def test_a_chain_with_a_loop_stands_in_rows() -> None:
    assert lay_out(LOOP).rows == [[BEGIN], ["a"], ["b"], ["c"], ["d"], [END]]


def test_branches_stand_side_by_side_and_meet_below() -> None:
    rows = lay_out(record(("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("d", END))).rows
    assert rows == [[BEGIN], ["a"], ["b", "c"], ["d"], [END]]


def test_the_drawing_says_how_often_and_how_long() -> None:
    drawn = graph_drawing(
        LOOP.model_copy(update={"visits": {"a": 12}, "seconds": {"a": 75.0, "b": 0.25}, "next_node": "b"})
    )
    assert "12\N{MULTIPLICATION SIGN} in 1 min 15 s" in drawn
    assert 'aria-label="graph of workflow w: a 12 times, b 0 times' in drawn
    assert drawn.count("not run") == 3
    assert drawn.count('class="node next"') == 1


def test_milliseconds_are_legible() -> None:
    drawn = graph_drawing(LOOP.model_copy(update={"visits": {"b": 2}, "seconds": {"b": 0.25}}))
    assert "2\N{MULTIPLICATION SIGN} in 250 ms" in drawn


def test_routes_are_dashed() -> None:
    edges = [EdgeRecord(source="a", target=target, conditional=True) for target in ("a", END)]
    drawn = graph_drawing(WorkflowRecord(workflow="w", nodes=["a"], edges=edges, progress="running"))
    assert drawn.count('class="edge conditional"') == 2


def test_nothing_becomes_markup() -> None:
    hostile = "<script>alert(1)</script>"
    drawn = graph_drawing(record((hostile, END), workflow='"><img src=x>'))
    assert "<script" not in drawn
    assert "<img" not in drawn


@st.composite
def graphs(draw: st.DrawFn) -> WorkflowRecord:
    """Any graph whose nodes can all be reached from the first one."""
    size = draw(st.integers(1, 8))
    names = [f"n{index}" for index in range(size)]
    arrows = {(names[draw(st.integers(0, index - 1))], name) for index, name in enumerate(names) if index}
    arrows |= set(draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from([*names, END])), max_size=10)))
    arrows.add((names[-1], END))
    ordered = sorted(arrows, key=lambda arrow: (names.index(arrow[0]), arrow[1]))
    edges = [EdgeRecord(source=source, target=target, conditional=True) for source, target in ordered]
    return WorkflowRecord(workflow="w", nodes=names, edges=edges, progress="finished")


@settings(max_examples=60)
@given(graphs())
def test_any_graph_has_room_for_everything(any_record: WorkflowRecord) -> None:
    layout = lay_out(any_record)
    assert sorted(name for row in layout.rows for name in row) == sorted([BEGIN, *any_record.nodes, END])
    assert not any(touch(one, other) for one, other in combinations(layout.boxes.values(), 2))
    assert len(layout.paths) == len(any_record.edges) + 1
    for edge, points in layout.paths:
        assert all(layout.left < x < layout.right for x, _ in points)
        others = [box for name, box in layout.boxes.items() if name not in (edge.source, edge.target)]
        for start, end in pairwise(points if len(points) > 2 else []):
            middle = Box("", (start[0] + end[0]) / 2, (start[1] + end[1]) / 2, *(half(start, end)))
            assert not any(touch(middle, box) for box in others)
    drawn = graph_drawing(any_record)
    assert drawn.count('class="tip"') == len(layout.paths)
    assert not re.search(r"nan|inf[^o]", drawn)


@pytest.mark.parametrize("size", [1, 300])
def test_long_chains_are_drawn(size: int) -> None:
    arrows = [(f"n{index}", f"n{index + 1}" if index + 1 < size else END) for index in range(size)]
    assert len(lay_out(record(*arrows)).rows) == size + 2
