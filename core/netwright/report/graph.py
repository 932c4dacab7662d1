"""A workflow's graph as inline SVG: nodes in rows from the start down, loops at the right, shortcuts at the left."""

from dataclasses import dataclass, field

from markupsafe import Markup, escape

from netwright.formatting import format_duration
from netwright.workflow.graph import END
from netwright.workflow.record import EdgeRecord, WorkflowRecord

LETTER = 7.6
"""The width of a letter of a node's name, about, in px."""
NODE_HEIGHT = 46.0
GAP_X, GAP_Y = 40.0, 42.0
"""Between neighbours and between rows."""
LANE = 16.0
"""Between two lanes, and between a row and the first lane."""
PORT = 9.0
"""Arrows leave a node's side that much below its middle, and arrive that much above."""
CORNER = 8.0
TERMINAL = 6.0
"""The radius of the dots for start and end."""
BEGIN = ""
"""Stands for the dot above the first node; no node has an empty name."""

Point = tuple[float, float]


@dataclass
class Box:
    """A node's place: its centre, and half of its size."""

    name: str
    x: float
    y: float
    half_width: float
    half_height: float
    is_leftmost: bool = True
    is_rightmost: bool = True


@dataclass
class Layout:
    """Where everything is drawn."""

    boxes: dict[str, Box]
    rows: list[list[str]]
    paths: list[tuple[EdgeRecord, list[Point]]] = field(default_factory=list)
    left: float = 0.0
    right: float = 0.0


def graph_drawing(record: WorkflowRecord) -> Markup:
    """The graph as an `<svg>` element: the same for the same record; it takes its colours from the page's style."""
    layout = lay_out(record)
    height = max(box.y + box.half_height for box in layout.boxes.values()) + 4
    width = layout.right - layout.left
    visited = ", ".join(f"{name} {record.visits.get(name, 0)} times" for name in record.nodes)
    parts = [
        Markup('<svg width="{0}" height="{1}" viewBox="{2} 0 {0} {1}" role="img" aria-label="{3}">').format(
            _px(width), _px(height), _px(layout.left), f"graph of workflow {record.workflow}: {visited}"
        )
    ]
    parts += [_arrow(points, conditional=edge.conditional) for edge, points in layout.paths]
    parts += [_node(layout.boxes[name], record) for name in record.nodes]
    parts += [_terminal(layout.boxes[name]) for name in (BEGIN, END)]
    return Markup("\n").join([*parts, Markup("</svg>")])


def lay_out(record: WorkflowRecord) -> Layout:
    """Places for nodes, and for edges the corners of their paths."""
    entry = EdgeRecord(source=BEGIN, target=record.nodes[0], conditional=False)
    edges = [entry, *record.edges]
    ranks = _ranks(edges)
    rows: list[list[str]] = [[] for _ in range(max(ranks.values()) + 1)]
    for name in (BEGIN, *record.nodes, END):
        rows[ranks[name]].append(name)
    layout = Layout(_place(rows, record), rows)
    reach = max(box.x + box.half_width for box in layout.boxes.values())
    right = left = reach + (LANE if any(edge.source == edge.target for edge in edges) else 0.0)
    for edge in sorted(edges, key=lambda edge: (abs(ranks[edge.target] - ranks[edge.source]), edge.source)):
        source, target = layout.boxes[edge.source], layout.boxes[edge.target]
        distance = ranks[edge.target] - ranks[edge.source]
        if distance == 1:
            path = [(source.x, source.y + source.half_height), (target.x, target.y - target.half_height)]
        elif distance > 1:
            left += LANE
            path = _around(source, target, -left)
        elif source is target and source.is_rightmost:
            path = _around(source, target, source.x + source.half_width + LANE)
        else:
            right += LANE
            path = _around(source, target, right)
        layout.paths.append((edge, path))
    side = max(left, right) + LANE
    layout.left, layout.right = -side, side
    return layout


def _ranks(edges: list[EdgeRecord]) -> dict[str, int]:
    """Rows: the longest way from the beginning that uses no edge which closes a loop; the end comes last."""
    following: dict[str, list[str]] = {}
    for edge in edges:
        following.setdefault(edge.source, []).append(edge.target)
    onward: dict[str, list[str]] = {}
    order: list[str] = []
    open_nodes: list[str] = []

    def visit(name: str) -> None:
        open_nodes.append(name)
        onward[name] = []
        for target in following.get(name, []):
            if target in open_nodes:
                continue
            onward[name].append(target)
            if target not in onward:
                visit(target)
        open_nodes.pop()
        order.append(name)

    visit(BEGIN)
    ranks = {BEGIN: 0}
    for name in reversed(order):
        for target in onward[name]:
            ranks[target] = max(ranks.get(target, 0), ranks[name] + 1)
    ranks[END] = max([ranks[name] + 1 for name in ranks if name != END])
    return ranks


def _place(rows: list[list[str]], record: WorkflowRecord) -> dict[str, Box]:
    boxes: dict[str, Box] = {}
    y = 4.0
    for row in rows:
        sizes = [_half_size(name, record) for name in row]
        height = max(half_height for _, half_height in sizes)
        x = -(sum(2 * half_width for half_width, _ in sizes) + GAP_X * (len(row) - 1)) / 2
        for index, (name, (half_width, half_height)) in enumerate(zip(row, sizes, strict=True)):
            ends = {"is_leftmost": index == 0, "is_rightmost": index == len(row) - 1}
            boxes[name] = Box(name, x + half_width, y + height, half_width, half_height, **ends)
            x += 2 * half_width + GAP_X
        y += 2 * height + GAP_Y
    return boxes


def _half_size(name: str, record: WorkflowRecord) -> Point:
    if name in (BEGIN, END):
        return TERMINAL, TERMINAL
    letters = max(len(name), len(_facts(name, record)))
    return max(60.0, letters * LETTER / 2 + 16), NODE_HEIGHT / 2


def _around(source: Box, target: Box, lane: float) -> list[Point]:
    """A path through a lane beside all nodes; between rows where neighbours stand in the way."""
    side = 1 if lane > 0 else -1
    start: list[Point]
    end: list[Point]
    if source.is_rightmost if side > 0 else source.is_leftmost:
        y = source.y + (PORT if source.half_height > TERMINAL else 0)
        start = [(source.x + side * source.half_width, y), (lane, y)]
    else:
        bottom = source.y + source.half_height
        start = [
            (source.x + side * PORT, bottom),
            (source.x + side * PORT, bottom + GAP_Y / 3),
            (lane, bottom + GAP_Y / 3),
        ]
    if target.is_rightmost if side > 0 else target.is_leftmost:
        y = target.y - (PORT if target.half_height > TERMINAL else 0)
        end = [(lane, y), (target.x + side * target.half_width, y)]
    else:
        top = target.y - target.half_height
        end = [(lane, top - GAP_Y / 3), (target.x + side * PORT, top - GAP_Y / 3), (target.x + side * PORT, top)]
    return [*start, *end]


def _arrow(points: list[Point], *, conditional: bool) -> Markup:
    kind = "edge conditional" if conditional else "edge"
    return Markup('<path class="{}" d="{}"/><path class="tip" d="{}"/>').format(kind, _line(points), _tip(*points[-2:]))


def _line(points: list[Point]) -> str:
    """A straight line, an S between rows, or a polyline with round corners."""
    (x, y), (end_x, end_y) = points[0], points[-1]
    if len(points) == 2:
        middle = (y + end_y) / 2
        return f"M{_px(x)} {_px(y)}C{_px(x)} {_px(middle)} {_px(end_x)} {_px(middle)} {_px(end_x)} {_px(end_y)}"
    drawn = [f"M{_px(x)} {_px(y)}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        into, out = _towards(corner, before), _towards(corner, after)
        drawn.append(f"L{_px(into[0])} {_px(into[1])}Q{_px(corner[0])} {_px(corner[1])} {_px(out[0])} {_px(out[1])}")
    return "".join([*drawn, f"L{_px(end_x)} {_px(end_y)}"])


def _towards(corner: Point, other: Point) -> Point:
    """The point where the curve at a corner begins, on the way to another point."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = max(abs(dx), abs(dy)) or 1.0
    step = min(CORNER, length / 2) / length
    return corner[0] + dx * step, corner[1] + dy * step


def _tip(before: Point, end: Point) -> str:
    """The head of an arrow; a curve between rows arrives from above."""
    (x, y) = end
    if before[1] == y:
        back = -7 if x > before[0] else 7
        return f"M{_px(x)} {_px(y)}l{back} -4v8z"
    return f"M{_px(x)} {_px(y)}l-4 -7h8z"


def _node(box: Box, record: WorkflowRecord) -> Markup:
    visits = record.visits.get(box.name, 0)
    kind = "node next" if record.next_node == box.name else "node" if visits else "node unvisited"
    left, top = box.x - box.half_width, box.y - box.half_height
    total = sum(record.seconds.values())
    share = record.seconds.get(box.name, 0.0) / total if total else 0.0
    rect = '<rect{} x="{}" y="{}" width="{}" height="{}" rx="{}"/>'
    bar = 2 * (box.half_width - 8) * share
    shapes = [Markup(rect).format("", _px(left), _px(top), _px(2 * box.half_width), _px(2 * box.half_height), 8)]
    if bar >= 1:
        place = (_px(left + 8), _px(top + 2 * box.half_height - 6), _px(bar), 3, 1.5)
        shapes.append(Markup(rect).format(Markup(' class="share"'), *place))
    text = Markup('<text x="{0}" y="{1}">{2}</text><text class="facts" x="{0}" y="{3}">{4}</text>')
    shapes.append(text.format(_px(box.x), _px(box.y - 5), box.name, _px(box.y + 11), _facts(box.name, record)))
    return Markup('<g class="{}">{}</g>').format(kind, Markup("").join(shapes))


def _terminal(box: Box) -> Markup:
    title = "end" if box.name == END else "start"
    shape = '<circle class="terminal" cx="{}" cy="{}" r="{}"><title>{}</title></circle>'
    return Markup(shape).format(_px(box.x), _px(box.y), _px(TERMINAL), escape(title))


def _facts(name: str, record: WorkflowRecord) -> str:
    visits = record.visits.get(name, 0)
    if not visits:
        return "not run"
    seconds = record.seconds.get(name, 0.0)
    short = f"{1000 * seconds:.0f} ms" if seconds >= 0.001 else "< 1 ms"
    took = format_duration(seconds) if seconds >= 1 else short
    return f"{visits}\N{MULTIPLICATION SIGN} in {took}"


def _px(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
