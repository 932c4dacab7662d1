"""The folders that netwright ships beside its code: `conf` and `cases`."""

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent


def shipped_folder(name: Literal["cases", "conf"]) -> Path:
    """Where the folder lies: beside the package in an installed wheel, at the repository's root in a checkout."""
    installed = _PACKAGE / "_shipped" / name
    return installed if installed.is_dir() else _PACKAGE.parents[1] / name
