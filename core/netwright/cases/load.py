"""Loading a case by name."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

from netwright.cases.case import Case, CaseOptions
from netwright.devices import resolve_device
from netwright.errors import NetwrightError, UserError
from netwright.registry import registry

DEVICE = "case_options.device"

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
    if scheme.endswith(".py"):
        raise UserError(f"'{name}' names no case", remedy=f"write script:{scheme}:{reference or 'CLASS'}")
    if not separator:
        scheme, reference = "folder", name
    if not reference.strip():
        raise UserError(f"'{name}' names no case", remedy="write SCHEME:REFERENCE or a folder's name (netwright cases)")
    source = cast("CaseSource", registry().load("case source", scheme))
    if options.device != "auto":
        resolve_device(options.device, setting=DEVICE)
    case = source(reference, options)
    if not isinstance(case, Case):
        raise NetwrightError(f"case source '{scheme}' returned {type(case).__name__}", why="it must return a Case")
    device = resolve_device(case.options.device, setting=DEVICE)
    return replace(case, name=name, options=case.options.model_copy(update={"device": device}))
