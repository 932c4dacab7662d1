"""Tools of the Python API: fetching published weights."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netwright_pruning.tools.downloader import Download, ModelDownloader

_HOMES = {"Download": "downloader", "ModelDownloader": "downloader"}

__all__ = ["Download", "ModelDownloader"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
