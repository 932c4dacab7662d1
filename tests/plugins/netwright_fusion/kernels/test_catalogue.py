"""All templates: their kernels compute what PyTorch does, and read as every kernel should."""

import ast
from pathlib import Path

import pytest

from netwright.harness.source import complaint
from netwright.harness.variant import Claims, Variant
from netwright_fusion.kernels.loading import HEADER

pytestmark = pytest.mark.slow

FAMILIES = (
    "pointwise activations", "pointwise broadcast", "pointwise rope", "pointwise gated", "pointwise types",
    "rows norms", "rows images", "rows summaries", "rows scans", "rows special values",
    "layouts", "products", "convolutions", "transposed convolutions", "windows", "narrow", "losses",
)  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_kernels_are_as_exact_as_pytorch(interpreted, family):
    found = {name: each for name, each in interpreted.results.items() if name.startswith(f"{family}, ")}
    assert found, interpreted.errors
    for name, each in found.items():
        assert each["wrong"] == [], name
        assert each["kernels"] >= each["least"], name


def test_rows_that_fit_no_block_are_read_in_blocks(interpreted):
    assert sum(name.endswith("in blocks") for name in interpreted.results) == 5
    assert any("for start in range" in path.read_text() for path in interpreted.sources)


def test_the_child_survived(interpreted):
    assert interpreted.errors == ""


def kernels_of(path: Path) -> list[ast.FunctionDef]:
    """The kernels in a source that a grid of programs runs; helpers have no pointers."""
    functions = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
    return [each for each in functions if each.name.endswith("_kernel")]


def calls_of(node: ast.AST, name: str) -> list[ast.Call]:
    """Calls of a function of `tl`."""
    return [each for each in ast.walk(node) if isinstance(each, ast.Call) and ast.unparse(each.func) == f"tl.{name}"]


def blocks_of(kernel: ast.FunctionDef) -> list[list[str]]:
    """The statements of a kernel, those of its loops apart."""
    loops = [node for node in ast.walk(kernel) if isinstance(node, ast.For)]
    bodies = [kernel.body, *(loop.body for loop in loops)]
    return [[ast.unparse(each) for each in body if not isinstance(each, ast.For)] for body in bodies]


def test_kernels_read_in_one_order(interpreted):
    assert len(interpreted.sources) > 100
    for path in interpreted.sources:
        (kernel,) = kernels_of(path)
        assert ast.get_docstring(kernel), path.name
        assert "tl.program_id" in ast.unparse(kernel.body[1]), path.name
        assert "tl.store" in ast.unparse(kernel.body[-1]), path.name
        for block in blocks_of(kernel):
            stores = [number for number, text in enumerate(block) if text.startswith("tl.store")]
            loads = [number for number, text in enumerate(block) if "tl.load" in text]
            assert max(loads, default=-1) < min(stores, default=len(block)), path.name
            assert not stores or block[stores[-1] + 1 :] == [
                each for each in block[stores[-1] + 1 :] if "carry" in each
            ]


def test_masked_loads_say_what_they_yield_elsewhere(interpreted):
    for path in interpreted.sources:
        for load in calls_of(ast.parse(path.read_text()), "load"):
            keywords = {keyword.arg for keyword in load.keywords}
            assert keywords in (set(), {"mask", "other"}), path.name


def test_kernels_keep_to_what_every_triton_has(interpreted):
    for path in interpreted.sources:
        text = path.read_text()
        assert not any(word in text for word in ("libdevice", "make_block_ptr", "autotune", "inline_asm", "tl.tanh")), (
            path.name
        )
        for dot in calls_of(ast.parse(text), "dot"):
            assert 'input_precision="ieee"' in ast.unparse(dot).replace("'", '"'), path.name


def test_the_harness_has_nothing_against_them(interpreted, tmp_path):
    for path in interpreted.sources:
        file = tmp_path / path.name
        name = path.stem.partition("_")[2]
        file.write_text(f"{HEADER}\n\n{path.read_text()}\n\ndef entry(module):\n    return {name}\n")
        variant = Variant(label=name, target=f"{file}:entry", claims=Claims(kernels=(f"{name}_kernel",)))
        assert complaint(variant) is None
