"""Exports: programs compute what the pruned model does, and those that do not are removed."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright.cases.load import load_case
from netwright.cases.module import draw_inputs, prepare_module
from netwright_pruning import Budget, load_method, load_pruned, prune_to_budget, save_pruned
from netwright_pruning.export import export_model, export_saved, loading_snippet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    case = load_case("digits_cnn")
    model, inputs = prepare_module(case, seed=0), draw_inputs(case, seed=0)
    pruned = prune_to_budget(model, inputs, Budget("macs", 0.3), load_method("magnitude_l2"), seed=0).model
    save_pruned(pruned, tmp_path / "model", case="digits_cnn")
    return tmp_path / "model"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["torch_export", "onnx"])
def test_a_program_computes_what_the_model_does(kind: str, folder: Path) -> None:
    if kind == "onnx":
        pytest.importorskip("onnxscript")
        pytest.importorskip("onnxruntime")
    inputs = draw_inputs(load_case("digits_cnn"), seed=1)
    (record,) = export_saved(folder, inputs, [kind])  # type: ignore[list-item]
    assert record.failed is None
    assert record.error is not None
    assert record.error < 1e-4
    assert record.file is not None
    assert (folder / record.file).stat().st_size == record.bytes
    scope: dict[str, object] = {}
    exec(loading_snippet(str(folder), [record.file]), scope)
    loaded, expected = scope["model"], load_pruned(folder)(*inputs.args)
    if kind == "torch_export":
        assert isinstance(loaded, nn.Module)
        torch.testing.assert_close(loaded(*inputs.args), expected)
    else:
        session = scope["session"]
        feed = {session.get_inputs()[0].name: inputs.args[0].numpy()}  # type: ignore[attr-defined]
        found = torch.from_numpy(session.run(None, feed)[0])  # type: ignore[attr-defined]
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_a_model_that_cannot_be_exported_leaves_no_file(tmp_path: Path, rows: Inputs) -> None:
    class Moody(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(16, 4)

        def forward(self, x: Tensor) -> Tensor:
            outputs: Tensor = self.layer(x)
            return outputs if float(outputs.sum()) > 0 else -outputs

    (record,) = export_model(Moody(), rows, tmp_path, ["torch_export"])
    assert record.file is None
    assert record.failed
    assert not list(tmp_path.iterdir())


def test_the_snippet_names_the_folder() -> None:
    assert loading_snippet("best/model", []) == (
        'from netwright_pruning import load_pruned\nmodel = load_pruned("best/model")'
    )
