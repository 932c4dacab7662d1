"""The cage of a candidate's worker: what it reaches, and what it may use."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from netwright.cases import CaseOptions
from netwright.files import cache_folder
from netwright.harness.variant import Variant
from netwright.sandbox import Limits
from netwright.sandbox.reach import is_narrow
from netwright.shipped import shipped_folder

LIMITS = Limits(wall_s=None, memory_mib=None, output_mib=None, processes=256)
"""The judge has time limits of its own, and a model takes the memory that it takes; compilers start many processes."""


def readable_paths(case: str, variant: Variant) -> list[Path]:
    """What a worker must read beside Python: the current folder, cases, those of case and variant, weights from hubs.

    Of a home folder only the Python files that lie in it are shown.
    """
    origins = [Path(part) for part in case.split(":") if part and Path(part).exists()]
    origins.append(Path(variant.target.rpartition(":")[0]))
    folders = [Path.cwd(), shipped_folder("cases"), *(path.parent if path.is_file() else path for path in origins)]
    shown = {path.resolve() for folder in folders for path in _narrowed(folder)}
    return [*sorted(shown), *(folder for folder in hub_folders().values() if folder.is_dir())]


def hub_folders() -> dict[str, Path]:
    """By variable, where weights and netwright's tensors are kept; no folder in which a key may lie, too."""
    base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    hub = Path(os.environ.get("HF_HOME", base / "huggingface")) / "hub"
    return {
        "HF_HUB_CACHE": Path(os.environ.get("HF_HUB_CACHE", hub)),
        "TORCH_HOME": Path(os.environ.get("TORCH_HOME", base / "torch")),
        "NETWRIGHT_CACHE": cache_folder("tensors").parent,
    }


def may_use_gpu(options: CaseOptions) -> bool:
    """Whether a case runs on a GPU, or would where there is one."""
    return options.device != "cpu"


def make_scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder of its own for a worker to start in and to write into."""
    return tempfile.TemporaryDirectory(prefix="netwright-worker-")


def _narrowed(folder: Path) -> Iterator[Path]:
    if is_narrow(folder):
        yield folder
    else:
        yield from folder.glob("*.py")
