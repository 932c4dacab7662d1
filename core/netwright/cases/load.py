"""Loading a case by name."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

from netwright.cases.case import Case, CaseOptions
from netwright.errors import NetwrightError, UserError
from netwright.registry import registry

CaseSource = Callable[[str, CaseOptions], Case]


def load_case(name: str, options: CaseOptions | None = None) -> Case:
    """The case of that name; its module is not built and no weights are allocated.

    Args:
        name: `scheme:reference`, e.g. "timm:resnet18"; without a scheme, a folder case ("digits_cnn", "./my_case").
        options: How to build it.

    Raises:
        UserError: There is no such scheme or case (the nearest name is shown), what it names cannot be used,
            or it was asked for on a device that this machine does not have.
    """
    options = options or CaseOptions()
    scheme, separator, reference = name.partition(":")
    if not separator:
        scheme, reference = "folder", name
    if not reference.strip():
        raise UserError(f"'{name}' names no case", remedy="write SCHEME:REFERENCE or a folder's name (netwright cases)")
    source = cast("CaseSource", registry().load("case source", scheme))
    if options.device != "auto":
        _check_device(options.device)
    case = source(reference, options)
    if not isinstance(case, Case):
        raise NetwrightError(f"case source '{scheme}' returned {type(case).__name__}", why="it must return a Case")
    return replace(case, name=name, options=case.options.model_copy(update={"device": _available(case.options.device)}))


def _available(device: str) -> str:
    """`device`, with "auto" resolved."""
    if device != "auto":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _check_device(device: str) -> None:
    kind, _, index = device.partition(":")
    if device == "cpu":
        return
    if kind != "cuda" or (":" in device and not index.isdecimal()):
        raise UserError(f"no device named '{device}'", why="known: cpu, cuda, cuda:N, auto")
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(index or 0) < count:
        return
    why = f"this machine has {count}, numbered from 0" if count else "PyTorch sees none on this machine"
    raise UserError(f"no CUDA device for '{device}'", why=why, remedy="case_options.device=cpu, or auto")
