"""Folder cases: a folder with `manifest.yaml` and the unmodified module beside it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netwright.cases.case import Case, CaseOptions
from netwright.cases.manifest import MANIFEST, InputsSpec, Manifest, ModelSpec, TensorSpec, read_manifest
from netwright.errors import UserError, unknown_name
from netwright.shipped import shipped_folder

if TYPE_CHECKING:
    from types import ModuleType

    from torch import nn


def load_folder_case(reference: str, options: CaseOptions) -> Case:
    """The case of a folder.

    Args:
        reference: A name under `cases/` of the current folder or among the shipped cases, or a path ("./my_case").
        options: `constants` may hold constructor arguments, and `batch_size` for the first dimension of all inputs.

    Raises:
        UserError: There is no such folder, its manifest is wrong, or its model does not import or lacks what it names.
    """
    return _case(_find(reference), options)


def list_folder_cases() -> list[tuple[str, str]]:
    """Name and description of every folder case that a bare name can mean; one that is broken says so."""
    return [(name, _describe(folder)) for name, folder in sorted(_known().items())]


def _find(reference: str) -> Path:
    if "/" not in reference:
        known = _known()
        if reference not in known:
            raise unknown_name("case", reference, known, listing="netwright cases")
        return known[reference]
    folder = Path(reference)
    if not (folder / MANIFEST).is_file():
        raise UserError(f"no case in {folder}", why=f"it has no {MANIFEST}")
    return folder


def _known() -> dict[str, Path]:
    homes = (shipped_folder("cases"), Path("cases"))
    return {file.parent.name: file.parent for home in homes for file in sorted(home.glob(f"*/{MANIFEST}"))}


def _describe(folder: Path) -> str:
    try:
        return read_manifest(folder / MANIFEST).description
    except UserError as error:
        return f"broken: {error}"


def _case(folder: Path, options: CaseOptions) -> Case:
    from functools import partial

    from netwright.cases.draw import draw_declared
    from netwright.cases.source import sibling_checksums
    from netwright.files import content_key, file_checksum

    manifest = _with_constants(read_manifest(folder / MANIFEST), options.constants or {}, folder)
    script = folder / f"{manifest.model.module.removesuffix('.py')}.py"
    return 0
