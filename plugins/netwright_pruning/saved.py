"""Saved pruned models: a folder that any process with the same case can load, without pickled code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from netwright import __version__
from netwright.cases import CaseOptions
from netwright.cases.load import load_case
from netwright.errors import NetwrightError, UserError
from netwright.files import file_checksum, replace_file, write_json
from netwright_pruning.architecture import Architecture, build_skeleton, compare, rebuild, resized_buffers

ARCHITECTURE = "architecture.json"
WEIGHTS = "model.safetensors"


def save_pruned(
    model: nn.Module,
    folder: Path,
    *,
    case: str,
    options: CaseOptions | None = None,
    budget: Mapping[str, Any] | None = None,
    scores: Mapping[str, float] | None = None,
) -> None:
    """Write a pruned model to `folder`: `model.safetensors`, then `architecture.json`, each whole.

    Args:
        case: The name of the case whose module was pruned.
        options: How that module was built.
        budget: How the budget was met, JSON values.
        scores: Measured figures to keep beside the model.

    Raises:
        UserError: The folder cannot be written.
        NetwrightError: The model is not a pruned module of the case.
    """
    options = options or CaseOptions()
    skeleton = build_skeleton(load_case(case, _on_cpu(options)))
    modules = compare(model, skeleton)
    kept = {**model.state_dict(), **resized_buffers(model, modules)}
    weights = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in kept.items()}
    with replace_file(folder / WEIGHTS) as temporary:
        temporary.write_bytes(save(weights))
    architecture = Architecture(
        case=case,
        options=options,
        modules=modules,
        weights_checksum=file_checksum(folder / WEIGHTS),
        netwright=__version__,
        torch=torch.__version__,
        budget=dict(budget or {}),
        scores=dict(scores or {}),
    )
    write_json(folder / ARCHITECTURE, architecture.model_dump(mode="json"))


def load_pruned(folder: Path | str, *, device: str | torch.device = "cpu") -> nn.Module:
    """The pruned model of a folder that `save_pruned` wrote, in eval mode; its outputs are bit-equal to the saved ones.

    The case's module is built, resized, and given the saved weights; no code is read from the folder.

    Raises:
        UserError: The folder holds no pruned model, or a damaged one, or its case is not what it was.
    """
    folder = Path(folder)
    architecture = read_architecture(folder)
    weights = _read_weights(folder, architecture)
    skeleton = build_skeleton(load_case(architecture.case, _on_cpu(architecture.options)))
    try:
        rebuild(skeleton, architecture.modules, weights)
    except NetwrightError as error:
        raise UserError(
            f"{folder} does not fit case '{architecture.case}'",
            why=str(error),
            remedy="load it with the case that was pruned",
        ) from error
    return skeleton.eval().to(device)


def read_architecture(folder: Path) -> Architecture:
    """What a saved model's `architecture.json` says.

    Raises:
        UserError: There is none, or it cannot be read.
    """
    path = folder / ARCHITECTURE
    try:
        return Architecture.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(
            f"no pruned model in {folder}", why=f"{ARCHITECTURE}: {(error.strerror or str(error)).lower()}"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{path} is damaged or not one of netwright's", why=f"{where}: {first['msg']}" if where else first["msg"]
        ) from None


def _read_weights(folder: Path, architecture: Architecture) -> dict[str, Tensor]:
    path = folder / WEIGHTS
    try:
        if file_checksum(path) != architecture.weights_checksum:
            raise UserError(f"{path} is damaged", why=f"its checksum is not the one in {ARCHITECTURE}")
        return load(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read {path}", why=(error.strerror or str(error)).lower()) from None
    except SafetensorError as error:
        raise UserError(f"{path} is damaged", why=str(error)) from None


def _on_cpu(options: CaseOptions) -> CaseOptions:
    return options.model_copy(update={"device": "cpu"})
