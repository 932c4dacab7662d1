"""From a name to a variant: registered baselines, targets, and the unmodified module."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netwright.errors import MissingDependencyError, UserError
from netwright.harness.variant import EAGER, Variant
from netwright.registry import registry
from netwright.specs import BaselineSpec

GROUP = "execution"


def baseline_variant(name: str, options: Mapping[str, Any] | None = None) -> Variant:
    """The variant that a registered baseline of the group "execution" makes of a case, labelled with its name.

    Raises:
        UserError: There is no such baseline, or it is of another group.
        MissingDependencyError: A package that it needs is not installed.
    """
    component = registry().component("baseline", name)
    spec = component.spec
    if not isinstance(spec, BaselineSpec) or spec.group != GROUP:
        raise UserError(f"baseline '{name}' makes no variant", why=f"only those of the group '{GROUP}' do")
    if component.missing:
        raise MissingDependencyError(
            f"baseline '{name}' needs {', '.join(component.missing)}", why="not installed", remedy=component.remedy
        )
    if name == EAGER.label:
        return EAGER  # what its target makes, too; the judge need not time the unmodified module once more beside it
    return Variant(label=name, target=spec.target, options=dict(options or {}))


def named_variant(name: str | None, options: Mapping[str, Any] | None = None) -> Variant:
    """The variant that a user means.

    Args:
        name: "package.module:attribute" or "path/to/file.py:attribute"; a baseline's name; None for the module itself.

    Raises:
        UserError: It is neither a target nor a known baseline, or its file is not there.
    """
    if name is None:
        return EAGER
    if ":" in name:
        origin = name.rpartition(":")[0]
        if origin.endswith(".py") and not Path(origin).is_file():
            raise UserError(f"there is no file {origin}", why=f"variant '{name}' names it")
        return Variant(label=name.rpartition(":")[2], target=name, options=dict(options or {}))
    return baseline_variant(name, options)
