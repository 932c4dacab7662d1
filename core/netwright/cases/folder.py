"""Folder cases: a folder with `manifest.yaml` and the unmodified module beside it."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from netwright.cases.case import Case, CaseOptions
from netwright.cases.constants import split_settings
from netwright.cases.manifest import MANIFEST, Manifest, Size, read_manifest
from netwright.cases.source import sibling_checksums
from netwright.config import Config
from netwright.devices import resolve_device
from netwright.errors import UserError, unknown_name
from netwright.files import content_key, file_checksum
from netwright.loading import attribute_of, load_script
from netwright.shipped import shipped_folder

if TYPE_CHECKING:
    from torch import nn


class FolderOptions(Config):
    """Keys of `case_options.constants` besides the constructor's arguments."""

    batch_size: Size | None = None
    """The first dimension of all inputs."""


def load_folder_case(reference: str, options: CaseOptions) -> Case:
    """The case of a folder.

    Args:
        reference: A name under `cases/` of the current folder or among the shipped cases, or a path ("./my_case").
        options: `constants` may hold constructor arguments and sizes of the manifest, and `batch_size` for the first
            dimension of all inputs.

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
    from netwright.cases.draw import draw_declared
    from netwright.cases.script import module_class_of

    manifest = read_manifest(folder / MANIFEST)
    small = bool(manifest.small) and _is_small(_prefer(manifest.device, options))
    script = folder / f"{manifest.model.module.removesuffix('.py')}.py"
    module = load_script(script)
    module_class = module_class_of(module, manifest.model.class_name, str(script))
    batch, changes = _changes(options.constants, manifest, module_class)
    manifest = read_manifest(folder / MANIFEST, small=small, changes=changes)
    kwargs, inputs = manifest.model.kwargs, manifest.inputs
    if batch is not None:
        inputs = inputs.with_batch_size(batch)
    return Case(
        name=folder.name,
        description=manifest.description,
        build=lambda: module_class(**kwargs),
        draw_inputs=partial(draw_declared, inputs),
        mode=options.mode or manifest.mode,
        options=_prefer(manifest.device, options),
        initialise=_initialiser(manifest, module, script),
        module_class=lambda: module_class,
        init_kwargs=kwargs,
        data=manifest.data,
        train=manifest.train,
        tolerance=manifest.tolerance,
        content=content_key(
            sibling_checksums(script),
            file_checksum(script),
            manifest.model_dump(mode="json", include={"model", "weights"}),
            kwargs,
            inputs.model_dump(mode="json"),
        ),
        folder=folder.resolve(),
    )


def _prefer(device: str, options: CaseOptions) -> CaseOptions:
    """The options with the manifest's device in place of "auto"; one that may be missing leaves it open."""
    settled = options.device == "auto" and device == "cpu"
    return options.model_copy(update={"device": device}) if settled else options


def _is_small(options: CaseOptions) -> bool:
    return options.size == "small" or (options.size == "auto" and resolve_device(options.device) == "cpu")


def _changes(
    constants: Mapping[str, Any] | None, manifest: Manifest, module_class: "type[nn.Module]"
) -> tuple[int | None, dict[str, Any]]:
    """What `constants` change: the batch size, and constructor arguments and sizes by name."""
    parameters = inspect.signature(module_class).parameters
    settings, changes = split_settings(FolderOptions, constants, excluded={*parameters, *manifest.sizes})
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    known = {*parameters, *manifest.sizes}
    for name in changes:
        if name not in known and not takes_any:
            raise unknown_name(f"constant of {module_class.__name__}", name, {*known, *FolderOptions.model_fields})
    return settings.batch_size, changes


def _initialiser(manifest: Manifest, module: ModuleType, script: Path) -> "Callable[[nn.Module], None] | None":
    if manifest.weights is None:
        return None
    function = attribute_of(module, manifest.weights.function, str(script))
    if not callable(function):
        raise UserError(f"weights.function '{manifest.weights.function}' in {script} is no function")
    return cast("Callable[[nn.Module], None]", function)
