"""The tree for readers: figures of all layers alike, the most expensive branches open."""

from netwright.render import tree_table
from netwright_predictor.prediction import How, Module
from netwright_predictor.tree import known_by, moved_bytes, tree_block


def module(
    name: str,
    own: int = 0,
    *,
    cls: str = "Linear",
    repeat: int = 1,
    how: How = "formula",
    children: list[Module] | None = None,
) -> Module:
    children = children or []
    return Module(
        name=name,
        path=name,
        class_path=f"package.{cls}",
        repeat=repeat,
        parameters=10 + sum(child.parameters * child.repeat for child in children),
        flops=own + sum(child.flops * child.repeat for child in children),
        own_flops=own,
        reads_bytes=3,
        writes_bytes=1,
        how=how,
        children=children,
    )


def small_model() -> Module:
    layer = module(
        "0-3",
        50,
        cls="Layer",
        repeat=4,
        children=[module("up", 100), module("down", 100), module("act", how="nothing")],
    )
    stack = module("layers", cls="ModuleList", how="not called", children=[layer])
    return module("Net", cls="Net", children=[stack, module("head", 200)])


def rows(root: Module, lines: int = 30) -> list[list[str]]:
    return tree_table(tree_block(root, lines=lines)).rows


def test_layers_alike_stand_in_one_row_with_the_figures_of_all() -> None:
    assert rows(small_model()) == [
        ["Net", "190", "1,200", "100 %", "76 B", "formula"],
        ["├─ layers.0-3 x4 Layer", "160", "1,000", "83.3 %", "64 B", "formula"],
        ["│  ├─ up Linear", "40", "400", "33.3 %", "16 B", "formula"],
        ["│  ├─ down Linear", "40", "400", "33.3 %", "16 B", "formula"],
        ["│  └─ act Linear", "40", "", "", "16 B", ""],
        ["└─ head Linear", "10", "200", "16.7 %", "4 B", "formula"],
    ]


def test_what_a_screen_cannot_hold_is_folded_least_flops_first() -> None:
    block = tree_block(small_model(), lines=5)
    assert [row[0] for row in tree_table(block).rows] == ["Net", "├─ layers.0-3 x4 Layer (+3)", "└─ head Linear"]
    assert [row[0] for row in rows(small_model(), lines=2)] == ["Net (+5)"]


def test_long_names_leave_room_for_the_figures() -> None:
    long = module("a_module_with_a_long_name", 1, cls="AClassWithALongName")
    assert rows(module("Net", cls="Net", children=[long]))[1][0] == "└─ a_module_with_a_long_name"


def test_small_shares_are_not_rounded_to_nothing() -> None:
    root = module("Net", cls="Net", children=[module("big", 10**6), module("small", 1)])
    assert rows(root)[2][3] == "<0.1 %"


def test_how_a_branch_is_known() -> None:
    derived = module("d", 5, how="derived")
    assert known_by(derived) == "derived"
    assert known_by(module("m", 5, children=[derived])) == "mixed"
    assert known_by(module("n", how="nothing", children=[derived])) == "derived"
    assert known_by(module("n", how="nothing")) == ""
    assert known_by(module("n", how="not called")) == "not called"
    assert known_by(module("n", how="unknown")) == "unknown"


def test_bytes_add_up_over_layers() -> None:
    assert moved_bytes(small_model()) == 4 * (1 + 1 + 1 + 4 * 4)
