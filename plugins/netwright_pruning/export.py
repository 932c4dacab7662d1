"""Exports: a pruned model as a program that needs neither netwright nor the model's own code."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from netwright.cases import Inputs, map_tensors
from netwright.context import current_run
from netwright.errors import NetwrightError
from netwright.requirements import installed_version
from netwright.result import Record
from netwright_pruning.config import Export
from netwright_pruning.groups import call
from netwright_pruning.saved import load_pruned

TOLERANCE = 1e-3
"""Of the largest difference, relative to the root mean square of the output: other kernels round otherwise."""

FILES: dict[Export, str] = {"onnx": "model.onnx", "torch_export": "model.pt2"}


class ExportRecord(Record):
    """One program, or why there is none."""

    format: Export
    file: str | None = None
    """Its name in the model's folder."""
    bytes: int | None = None
    error: float | None = None
    """Largest difference from the PyTorch outputs, relative to their root mean square."""
    failed: str | None = None
    """Why there is none."""


def export_model(model: nn.Module, inputs: Inputs, folder: Path, formats: Sequence[Export]) -> list[ExportRecord]:
    """Write programs beside a saved model, and run each to compare its outputs with those of `model`.

    A program whose outputs differ is removed again.

    Args:
        inputs: The arguments of one forward call; programs take inputs of these shapes.
    """
    model = model.eval()
    return [_export(model, inputs, folder, kind) for kind in formats]


def export_saved(folder: Path, inputs: Inputs, formats: Sequence[Export]) -> list[ExportRecord]:
    """As `export_model`, of the model that is saved in `folder`, with a warning for every program that failed."""
    if not formats:
        return []
    inputs = map_tensors(inputs, lambda tensor: tensor.cpu())
    with current_run().step(f"export {folder.parent.name}"):
        records = export_model(load_pruned(folder), inputs, folder, formats)
    for record in records:
        if record.failed:
            current_run().warn(f"no {record.format} program of {folder.parent.name}: {record.failed}")
    return records


def loading_snippet(folder: str, programs: Sequence[str]) -> str:
    """Python code that loads a saved model, with nothing of netwright's but `load_pruned`, and each of its programs."""
    lines = ["from netwright_pruning import load_pruned", f'model = load_pruned("{folder}")']
    if FILES["torch_export"] in programs:
        lines += ["", "import torch", f'model = torch.export.load("{folder}/{FILES["torch_export"]}").module()']
    if FILES["onnx"] in programs:
        lines += ["", "import onnxruntime", f'session = onnxruntime.InferenceSession("{folder}/{FILES["onnx"]}")']
    return "\n".join(lines)


def _export(model: nn.Module, inputs: Inputs, folder: Path, kind: Export) -> ExportRecord:
    path = folder / FILES[kind]
    try:
        with torch.no_grad():
            found = _WRITERS[kind](model, inputs, path)
            error = _difference(found, call(model, inputs))
        if error > TOLERANCE:
            raise NetwrightError("its outputs differ", why=f"by {error:.1g} of their root mean square")
    except Exception as failure:  # exporters raise whatever they meet
        path.unlink(missing_ok=True)
        return ExportRecord(format=kind, failed=" ".join(f"{type(failure).__name__}: {failure}".split())[:300])
    return ExportRecord(format=kind, file=path.name, bytes=path.stat().st_size, error=error)


def _write_torch_export(model: nn.Module, inputs: Inputs, path: Path) -> list[Tensor]:
    program = torch.export.export(model, inputs.args, dict(inputs.kwargs))
    torch.export.save(program, path)
    loaded = torch.export.load(path)
    return _tensors(loaded.module()(*inputs.args, **inputs.kwargs))


def _write_onnx(model: nn.Module, inputs: Inputs, path: Path) -> list[Tensor]:
    if missing := [name for name in ("onnx", "onnxscript", "onnxruntime") if installed_version(name) is None]:
        raise NetwrightError(f"needs {', '.join(missing)}", remedy="pip install 'netwright[export]'")
    onnxruntime = import_module("onnxruntime")
    program = torch.onnx.export(
        model, inputs.args, kwargs=dict(inputs.kwargs), dynamo=True, external_data=False, verbose=False
    )
    assert program is not None
    program.save(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    tensors = _tensors([inputs.args, dict(inputs.kwargs)])
    names = [put.name for put in session.get_inputs()]
    fed = {name: tensor.cpu().numpy() for name, tensor in zip(names, tensors, strict=True)}
    return [torch.from_numpy(output) for output in session.run(None, fed)]


_WRITERS = {"onnx": _write_onnx, "torch_export": _write_torch_export}


def _tensors(value: Any) -> list[Tensor]:
    found: list[Tensor] = []
    map_tensors(value.to_tuple() if hasattr(value, "to_tuple") else value, found.append)
    return found


def _difference(found: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """The largest, relative to the root mean square of the output that it is in."""
    largest = 0.0
    for one, other in zip(found, expected, strict=True):
        if one.shape != other.shape:
            return float("inf")
        scale = other.double().square().mean().sqrt().clamp_min(1e-12)
        largest = max(largest, float((one.double().cpu() - other.double().cpu()).abs().amax() / scale.cpu()))
    return largest
