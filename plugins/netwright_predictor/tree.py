"""The tree of a prediction for readers: modules with parameters, FLOPs, bytes, share and how they are known."""

from collections import Counter
from heapq import heappop, heappush
from itertools import count

from netwright.formatting import format_bytes, format_number
from netwright.result import TreeBlock, TreeRow
from netwright_predictor.prediction import Module

LINES = 32
"""Rows that are open at first: about what a screen holds."""
WIDTH = 31
"""Letters of a name, with its branches, that leave room for the figures in 80 columns."""
MOST = 36
"""Letters of a name, with its branches, beside which all figures just fit."""
STEP = 3
"""Letters of a branch."""


def tree_block(root: Module, *, lines: int = LINES) -> TreeBlock:
    """A model's modules, each with its share of the forward FLOPs.

    The modules that compute most are open, as many as fit in `lines` rows.
    """
    total = root.flops * root.repeat
    return TreeBlock(
        title="Modules",
        columns=["module", "params", "FLOPs", "share", "bytes", "known"],
        rows=[_row(root, 1, total, _open_modules(root, lines), 0)],
        numeric=[False, True, True, True, True, False],
        caption="Layers that are alike stand in one row, with the figures of all of them. FLOPs of one forward; "
        "bytes that a module and those below it read and write, each operator by itself. Tied weights "
        "stand at each place. Known: by a formula, derived from counts, or measured.",
    )


def known_by(module: Module) -> str:
    """How the FLOPs of a module and those below it are known, "mixed" in several ways, "" where there are none."""
    kinds = [kind for kind, flops in _flops_by_kind(module).items() if flops]
    if not kinds:
        return "" if module.how in ("nothing", "formula") else module.how
    return kinds[0] if len(kinds) == 1 else "mixed"


def moved_bytes(module: Module) -> int:
    """Bytes that a module and those below it read and write."""
    below = sum(child.repeat * moved_bytes(child) for child in module.children)
    return module.reads_bytes + module.writes_bytes + below


def class_name(module: Module) -> str:
    """The module's class, without its package."""
    return module.class_path.rpartition(".")[2]


def _row(module: Module, times: int, total: int, opened: set[int], depth: int) -> TreeRow:
    stem = ""
    while _only_holds(module):
        stem, module = f"{stem}{module.name}.", module.children[0]
    times *= module.repeat
    moved = moved_bytes(module) * times
    below = [_row(child, times, total, opened, depth + 1) for child in module.children]
    hidden = sum(child.size for child in below) if id(module) not in opened else 0
    return TreeRow(
        cells=[
            _label(module, stem, depth, hidden),
            format_number(module.parameters * times) if module.parameters else "",
            format_number(module.flops * times) if module.flops else "",
            _percent(module.flops * times, total),
            format_bytes(moved) if moved else "",
            known_by(module),
        ],
        children=below,
        open=id(module) in opened,
    )


def _only_holds(module: Module) -> bool:
    """Whether a module is a list of one kind of layer, which one row can show."""
    return class_name(module) == "ModuleList" and len(module.children) == 1 and module.repeat == 1


def _label(module: Module, stem: str, depth: int, hidden: int) -> str:
    """Name, how often, and class, as far as they fit beside the number of rows that are hidden below."""
    times = f" x{module.repeat}" if module.repeat > 1 else ""
    name = f"{stem}{module.name}{times}"
    if module.name == class_name(module):
        return name
    whole = f"{name} {class_name(module)}"
    mark = len(f" (+{hidden})") if hidden else 0
    if len(whole) + mark + STEP * depth <= WIDTH:
        return whole
    room = MOST - mark - STEP * depth
    return name if len(name) <= room else f"{name[: room - 1]}…"


def _percent(part: int, whole: int) -> str:
    if not part or not whole:
        return ""
    share = 100 * part / whole
    if share < 0.1:
        return "<0.1 %"
    return f"{share:.1f} %" if share < 99.95 else "100 %"


def _open_modules(root: Module, lines: int) -> set[int]:
    """The modules whose children are shown at once, most FLOPs first, and of equal ones the most parameters."""
    opened: set[int] = set()
    order = count()
    rows = 1
    waiting = [(0, 0, next(order), root)]
    while waiting:
        module = heappop(waiting)[-1]
        while _only_holds(module):
            module = module.children[0]
        if not module.children or rows + len(module.children) > lines:
            continue
        opened.add(id(module))
        rows += len(module.children)
        for child in module.children:
            heappush(waiting, (-child.flops * child.repeat, -child.parameters * child.repeat, next(order), child))
    return opened


def _flops_by_kind(module: Module) -> Counter[str]:
    found: Counter[str] = Counter({module.how: module.own_flops})
    for child in module.children:
        for kind, flops in _flops_by_kind(child).items():
            found[kind] += flops * child.repeat
    return found
